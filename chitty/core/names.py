"""What a participant may be called and what it may say. Pure functions of text, used at the edges."""

import unicodedata

from chitty.core.errors import InvalidArgument

MAX_NAME = 32
"""Code points of a name, after normalisation."""

_MAX_DECOMPOSED = 4
"""Code points that one of NFC has at most in any other form (Unicode Standard Annex 15, "Maximum expansion")."""

MAX_TEXT = 128
"""Unicode code points of a message."""

RESERVED = frozenset({"all", "hub", "server"})

_LETTER_OR_DIGIT = ("L", "Nd")
_PUNCTUATION = "-_."


def normalise(name: str) -> str:
    """Return `name` in NFC, if it may be a participant's.

    Raises:
        InvalidArgument: it is empty, too long, reserved, or has a character that no name has.
    """
    if len(name) > MAX_NAME * _MAX_DECOMPOSED:  # before NFC is sought: of many marks in a row that takes minutes
        raise _too_long(name)
    try:
        name = unicodedata.normalize("NFC", name)
        name.encode()
    except UnicodeEncodeError:
        raise _invalid(f"name {name!a} is not valid Unicode") from None
    if not name:
        raise _invalid("the name is empty: give 1 to 32 letters, digits, '-', '_' or '.'")
    if len(name) > MAX_NAME:
        raise _too_long(name)
    for position, character in enumerate(name):
        if unicodedata.category(character).startswith(_LETTER_OR_DIGIT):
            continue
        if position == 0:
            raise _invalid(f"name {name!r} begins with {character!r}: it must begin with a letter or a digit")
        if character not in _PUNCTUATION:
            raise _invalid(f"name {name!r} has {character!r}: only letters, digits, '-', '_' and '.' are allowed")
    if fold(name) in RESERVED:
        raise _invalid(f"name {name!r} is reserved: choose another one")
    return name


def fold(name: str) -> str:
    """Return what two names are compared by: equal when they differ in case only."""
    return unicodedata.normalize("NFC", name.casefold())


def check_text(text: str) -> str:
    """Return `text` unchanged, if it may be a message.

    Length is counted in Unicode code points: 128 emoji pass, 129 letters do not. Nothing is ever cut.

    Raises:
        InvalidArgument: it is empty, too long, or not encodable as UTF-8.
    """
    if not text:
        raise InvalidArgument("the message is empty: say at least one character", field="text")
    if len(text) > MAX_TEXT:
        raise InvalidArgument(
            f"the message has {len(text)} characters: at most {MAX_TEXT} are allowed; say it in several",
            field="text",
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            f"the message is not valid Unicode: a lone surrogate at position {error.start}", field="text"
        ) from None
    return text


def _too_long(name: str) -> InvalidArgument:
    return _invalid(f"name {name[:MAX_NAME]!r}... has {len(name)} characters: at most {MAX_NAME} are allowed")


def _invalid(message: str) -> InvalidArgument:
    return InvalidArgument(message, field="participant")
