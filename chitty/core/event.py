"""The values that travel: events, messages, receipts, commands. Knows no encoding of them."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

RULES = 1
"""Version of the rules that `Hub.apply` keeps; stored with commands, so that a log is replayed by its own."""


class Kind(StrEnum):
    """What an event tells; its value is the `op` of a log line."""

    JOINED = "join"
    PUBLISHED = "publish"
    LEFT = "leave"


class Reason(StrEnum):
    """Why a participant left."""

    ASKED = "asked"
    LOST = "lost"
    EXPELLED = "expelled"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One broadcast of the hub: a join, a message or a leave, at its place in the total order.

    Attributes:
        sequence: dense, from 1, in the epoch.
        lamport: timestamp of the broadcast.
        participant: name of whom it is about.
        text: what was said, or the announcement.
        cause: id of the message that caused it; empty when the hub noticed by itself.
        reason: of a leave, else None.
    """

    sequence: int
    lamport: int
    kind: Kind
    participant: str
    text: str
    cause: str = ""
    reason: Reason | None = None


def announcement(kind: Kind, participant: str, lamport: int) -> str:
    """Return the text of a join or a leave, as the assignment words it."""
    verb = "joined" if kind is Kind.JOINED else "left"
    return f"Participant {participant} {verb} Chitty-Chat at Lamport time {lamport}"


class Message(msgspec.Struct, frozen=True, gc=False):
    """What a participant says: its number, the timestamp of its send event, and the text."""

    number: int
    stamped: int
    text: str


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The acknowledgment of a message: where and when its broadcast stands in the total order."""

    number: int
    sequence: int
    lamport: int


@dataclass(frozen=True, slots=True)
class Join:
    """A command: let `incarnation` belong, as `name`.

    The caller must have normalised `name`, and `key` must be its folded form: what names are compared by.
    `wall` is seconds since 1970 in UTC, for display only, here and in the other commands.
    """

    incarnation: str
    name: str
    key: str
    number: int
    stamped: int
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Publish:
    """A command: broadcast `messages` of `incarnation`, all or none. The caller has checked their texts."""

    incarnation: str
    messages: tuple[Message, ...]
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Leave:
    """A command: `incarnation` asks to leave."""

    incarnation: str
    number: int
    stamped: int
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Detect:
    """A command: the service noticed that a connection of a member is gone, and that it does not come back.

    `connection` is the member's when that was noticed: one that has been taken up again since is not gone.
    """

    incarnation: str
    joined: int
    connection: int
    reason: Reason
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that decide about commands: every replica must have the same, and a replay those of its time.

    Attributes:
        participants: how many may belong at once.
        receipts: how many receipts are remembered of each incarnation; a client may not have more
            messages without receipt than that.
        departed: of how many incarnations that left the receipts are remembered; at least 1, for who leaves now.
        departed_receipts: how many receipts of those are remembered in all; the oldest departed go first.
    """

    participants: int = 10_000
    receipts: int = 1_024
    departed: int = 10_000
    departed_receipts: int = 100_000


@dataclass(frozen=True, slots=True)
class Configure:
    """A command: from here on these limits decide."""

    limits: Limits
    wall: float = 0.0


Command = Join | Publish | Leave | Detect | Configure


def message_id(incarnation: str, number: int) -> str:
    """Return the id of a message, unique among all messages of all processes."""
    return f"{incarnation}.{number}"
