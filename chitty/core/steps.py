"""What happens at one process, one value a step: the events of Lamport's paper, as they are logged.

They are called steps here, because an event in this house is a broadcast of the hub. Knows no log line:
chitty.journal writes them. `lamport` is the process's clock after the step, `stamped` the timestamp that
came with a message.
"""

from dataclasses import dataclass

from chitty.core.event import Event, Kind, Reason


@dataclass(frozen=True, slots=True)
class Start:
    """A process begins; its clock does not tick. `epoch` is a hub's."""

    lamport: int
    incarnation: str
    pid: int
    version: str
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """A participant sends a message: ticks (IR1)."""

    lamport: int
    op: Kind
    id: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Receive:
    """The hub accepts a message: merges (IR2)."""

    lamport: int
    op: Kind
    id: str
    stamped: int
    participant: str


@dataclass(frozen=True, slots=True)
class Detect:
    """The hub notices that a participant is gone: a local event, ticks (IR1)."""

    lamport: int
    participant: str
    incarnation: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Broadcast:
    """The hub sends an event to all participants: one send event (IR1), however many receive it.

    Attributes:
        members: how many participants there are after the event.
    """

    event: Event
    members: int

    @property
    def lamport(self) -> int:
        """The hub's clock after the step."""
        return self.event.lamport


@dataclass(frozen=True, slots=True)
class Deliver:
    """A participant receives an event: merges (IR2)."""

    lamport: int
    epoch: str
    event: Event


@dataclass(frozen=True, slots=True)
class Ack:
    """A participant receives the receipt of its message: merges (IR2)."""

    lamport: int
    op: Kind
    id: str
    epoch: str
    sequence: int
    stamped: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A participant learns that its message was refused: a local event, ticks (IR1)."""

    lamport: int
    op: Kind
    id: str
    status: str
    why: str


@dataclass(frozen=True, slots=True)
class End:
    """A process ends in good order; its clock does not tick."""

    lamport: int
    reason: str


Step = Start | Send | Receive | Detect | Broadcast | Deliver | Ack | Refused | End
