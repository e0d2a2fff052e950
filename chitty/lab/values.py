"""The kinds of values that steps take: names, texts, states; how each is read, and what is wrong with it. Pure."""

from collections.abc import Callable
from typing import Any, TypeVar

from chitty.core.errors import InvalidArgument
from chitty.core.names import fold, normalise

T = TypeVar("T")

SERVER = "server"
"""The name that means the server, where a step takes it."""

STATES = ("joined", "running", "paused", "left", "killed", "crashed", "refused")
"""How a participant can be expected to be."""

SERVER_STATES = ("serving", "running", "paused")
"""How the server can be expected to be."""


class Name(str):
    """A participant's name, normalised."""

    __slots__ = ()


class Names(tuple[str, ...]):
    """One participant's name or several."""

    __slots__ = ()


class Target(str):
    """A participant's name, or `server`."""

    __slots__ = ()


class Targets(tuple[str, ...]):
    """Names of participants, or `server`: one or several."""

    __slots__ = ()


class Text(str):
    """What is said: as it is, or `{repeat: x, times: 129}`."""

    __slots__ = ()


class States(dict[str, str]):
    """Names, `server` among them, and how each is to be."""

    __slots__ = ()


def decode(into: type[T], value: Any) -> T:
    """Make a value of a type of this module, for msgspec.

    Raises:
        ValueError: it does not fit.
    """
    made: T = _DECODERS[into](value)
    return made


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a name, got {value!r}")  # noqa: TRY004 - msgspec passes on ValueErrors only
    try:
        return normalise(value)
    except InvalidArgument as error:
        raise ValueError(str(error)) from None


def _plain_or_server(value: Any) -> str:
    return SERVER if isinstance(value, str) and fold(value) == SERVER else _plain(value)


def _name(value: Any) -> Name:
    return Name(_plain(value))


def _target(value: Any) -> Target:
    return Target(_plain_or_server(value))


def _several(value: Any, one: Callable[[Any], str]) -> list[str]:
    found = [one(part) for part in (value if isinstance(value, list) else [value])]
    if len({fold(name) for name in found}) < len(found):
        raise ValueError("somebody is named twice")
    return found


def _names(value: Any) -> Names:
    return Names(_several(value, _plain))


def _targets(value: Any) -> Targets:
    return Targets(_several(value, _plain_or_server))


def _text(value: Any) -> Text:
    if isinstance(value, str):
        return Text(value)
    match value:
        case {"repeat": str(piece), "times": int(times), **rest} if not rest and times >= 0:
            return Text(piece * times)
    raise ValueError(
        f"expected a text (in quotes, if it looks like something else) or {{repeat: x, times: 129}}, got {value!r}"
    )


def _states(value: Any) -> States:
    if not isinstance(value, dict):
        raise ValueError("expected names with a state each, such as {bob: killed}")  # noqa: TRY004 - as above
    found = States({_plain_or_server(who): state for who, state in value.items()})
    for who, state in found.items():
        known = SERVER_STATES if who == SERVER else STATES
        if state not in known:
            raise ValueError(f"{who} cannot be {state!r}: give one of {', '.join(known)}")
    return found


_DECODERS: dict[type, Callable[[Any], Any]] = {
    Name: _name,
    Names: _names,
    Target: _target,
    Targets: _targets,
    Text: _text,
    States: _states,
}
