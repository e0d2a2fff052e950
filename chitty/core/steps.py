"""What happens at one process, one value a step: the events of Lamport's paper, as they are logged.

They are called steps here, because an event in this house is a broadcast of the hub. Knows no log line:
chitty.journal writes them. `lamport` is the process's clock after the step, `stamped` the timestamp that
came with a message.
"""

import msgspec

from chitty.core.event import Event, Kind, Reason


class Start(msgspec.Struct, frozen=True):
    """A process begins; its clock does not tick. `epoch` is a hub's."""

    lamport: int
    incarnation: str
    pid: int
    version: str
    epoch: str = ""


class Send(msgspec.Struct, frozen=True):
    """A participant sends a message: ticks (IR1)."""

    lamport: int
    op: Kind
    id: str
    text: str | None = None


class Receive(msgspec.Struct, frozen=True):
    """The hub accepts a message: merges (IR2)."""

    lamport: int
    op: Kind
    id: str
    stamped: int
    participant: str


class Detect(msgspec.Struct, frozen=True):
    """The hub notices that a participant is gone: a local event, ticks (IR1)."""

    lamport: int
    participant: str
    incarnation: str
    reason: Reason


class Broadcast(msgspec.Struct, frozen=True):
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


class Deliver(msgspec.Struct, frozen=True):
    """A participant receives an event: merges (IR2)."""

    lamport: int
    epoch: str
    event: Event


class Ack(msgspec.Struct, frozen=True):
    """A participant receives the receipt of its message: merges (IR2)."""

    lamport: int
    op: Kind
    id: str
    epoch: str
    sequence: int
    stamped: int


class Refused(msgspec.Struct, frozen=True):
    """A participant learns that its message was refused: a local event, ticks (IR1)."""

    lamport: int
    op: Kind
    id: str
    status: str
    why: str


class End(msgspec.Struct, frozen=True):
    """A process ends in good order; its clock does not tick."""

    lamport: int
    reason: str


Step = Start | Send | Receive | Detect | Broadcast | Deliver | Ack | Refused | End
