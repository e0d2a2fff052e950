"""Chitty-Chat: a chat service with logical time, and the laboratory around it.

`chitty.join(name, address)` is the library; the commands live in chitty.cli. Importing this package alone
is light: what needs gRPC is imported on first use.
"""

TYPE_CHECKING = False  # as typing's, which is not imported: see chitty/__main__.py

__version__ = "0.1.0"

__all__ = ["ChittyError", "Credentials", "Event", "Kind", "Reason", "Receipt", "Refusal", "Session", "join"]

if TYPE_CHECKING:
    from typing import Any

    from chitty.client.credentials import Credentials
    from chitty.client.session import Session, join
    from chitty.core.errors import ChittyError, Refusal
    from chitty.core.event import Event, Kind, Reason, Receipt

_HOMES = {
    "chitty.client.credentials": ("Credentials",),
    "chitty.client.session": ("Session", "join"),
    "chitty.core.errors": ("ChittyError", "Refusal"),
    "chitty.core.event": ("Event", "Kind", "Reason", "Receipt"),
}


def __getattr__(name: str) -> "Any":
    """Import a public name from its home on first use (PEP 562)."""
    from importlib import import_module  # noqa: PLC0415 - part of being light

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
