"""The join secret: what a service may ask of whoever wants to come in, beside its session.

Knows where it is kept (the environment, a file) and how it travels (metadata of a call); never repeats it.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from chitty.core.errors import SettingsError, WrongSecret, cause

VARIABLE = "CHITTY_SECRET"
"""The environment variable that may hold it."""

STRONG = 16
"""Characters below which a secret can be guessed from afar."""

_KEY = "x-chitty-secret"
_VISIBLE = re.compile(r"[!-~]{1,512}")
_MAKE = "`(umask 077; openssl rand -hex 16 > {})` makes one"
_REMEDY = f"set {VARIABLE} to it, or name a file that holds it with --secret-file"


def read(file: str | os.PathLike[str], environment: Mapping[str, str] = os.environ) -> str:
    """Return the secret of a file, or of the environment when no file is named; empty when there is none.

    Space around it, such as the newline at the end of a file, is no part of it.

    Raises:
        SettingsError: the file cannot be read or is empty, or the secret has a character that cannot travel.
    """
    if not os.fspath(file):
        text, source = environment.get(VARIABLE, "").strip(), VARIABLE
        return _checked(text, source) if text else ""
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise SettingsError(f"the secret in {path} is not UTF-8: {_MAKE.format(path)}") from None
    except OSError as error:
        raise SettingsError(f"cannot read the secret {path}: {cause(error)}; {_MAKE.format(path)}") from None
    if not text:
        raise SettingsError(f"the secret in {path} is empty: {_MAKE.format(path)}")
    return _checked(text, str(path))


def _checked(text: str, source: str) -> str:
    if _VISIBLE.fullmatch(text) is None:
        raise SettingsError(
            f"the secret in {source} cannot travel: it is 1 to 512 visible ASCII characters, without space inside"
        )
    return text


def metadata(secret: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that a call carries to be let in; none without a secret."""
    return ((_KEY, secret),) if secret else ()


def check(secret: str, sent: Iterable[tuple[str, str | bytes]] | None) -> None:
    """Let a call pass that carries the secret. The time that it takes tells nothing about it.

    Raises:
        WrongSecret: it carries none, or another one; the text never repeats either.
    """
    found = next((value for key, value in sent or () if key == _KEY), None)
    if found is None:
        raise WrongSecret(f"the service asks for a secret, and the call carries none: {_REMEDY}")
    if not hmac.compare_digest(_digest(found), _digest(secret)):
        raise WrongSecret(f"the secret is not that of the service: {_REMEDY}")


def _digest(secret: str | bytes) -> bytes:
    """Return the hash, so that not even the length shows in the time of a comparison."""
    return hashlib.sha256(secret if isinstance(secret, bytes) else secret.encode()).digest()
