"""Chitty-Chat: a chat service with logical time, and the laboratory around it.

`chitty.join(name, address)` is the library; the commands live in chitty.cli. Importing this package alone
is light: what needs gRPC is imported on first use.
"""

TYPE_CHECKING = False  # as typing's, which is not imported: see chitty/__main__.py

__version__ = "0.1.0"

__all__ = [
    "AlreadyJoined",
    "ChittyError",
    "Credentials",
    "CursorTooOld",
    "Event",
    "EventsDropped",
    "Forked",
    "InvalidArgument",
    "Keepalive",
    "Kind",
    "LimitExceeded",
    "NameTaken",
    "NotPermitted",
    "PreconditionFailed",
    "Reason",
    "Receipt",
    "Refusal",
    "Session",
    "SessionEnded",
    "SessionReused",
    "SettingsError",
    "TakenOver",
    "Unacknowledged",
    "Unavailable",
    "UnknownSession",
    "Untrusted",
    "WrongSecret",
    "join",
]

if TYPE_CHECKING:
    from typing import Any

    from chitty.client.credentials import Credentials
    from chitty.client.session import Session, join
    from chitty.core.errors import (
        AlreadyJoined,
        ChittyError,
        CursorTooOld,
        EventsDropped,
        Forked,
        InvalidArgument,
        LimitExceeded,
        NameTaken,
        NotPermitted,
        PreconditionFailed,
        Refusal,
        SessionEnded,
        SessionReused,
        SettingsError,
        TakenOver,
        Unacknowledged,
        Unavailable,
        UnknownSession,
        Untrusted,
        WrongSecret,
    )
    from chitty.core.event import Event, Kind, Reason, Receipt
    from chitty.settings import Keepalive

_HOMES = {
    "chitty.client.credentials": ("Credentials",),
    "chitty.client.session": ("Session", "join"),
    "chitty.core.event": ("Event", "Kind", "Reason", "Receipt"),
    "chitty.settings": ("Keepalive",),
}
_ERRORS = "chitty.core.errors"
"""The home of every other public name."""


def __getattr__(name: str) -> "Any":
    """Import a public name from its home on first use (PEP 562)."""
    from importlib import import_module  # noqa: PLC0415 - part of being light

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), _ERRORS)
    return getattr(import_module(home), name)
