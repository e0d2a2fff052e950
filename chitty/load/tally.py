"""What subscribers were delivered: how much, in how many pieces, how late. Knows no connection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chitty.load import message
from chitty.load.histogram import Histogram
from chitty.wire import chitty_pb2 as pb


@dataclass(slots=True)
class Tally:
    """Deliveries of all subscribers of a process.

    A piece is what one read gave; `last` is when the last one came, in nanoseconds. Of each the first and the
    last message are dated, for all that it holds: to date every message would load the load generator.
    """

    deliveries: int = 0
    pieces: int = 0
    size: int = 0
    last: int = 0
    latencies: Histogram = field(default_factory=Histogram)

    def take(self, data: bytes, count: int, oldest: int, newest: int) -> None:
        """Count a piece with `count` messages, of which the first and the last were said then."""
        self.deliveries += count
        self.pieces += 1
        self.size += len(data)
        if count:
            self.last = now = message.now()
            for said in (oldest, newest):
                if said:
                    self.latencies.add(now - said, count)

    def facts(self) -> dict[str, Any]:
        """Return it for JSON; the latencies count every delivery twice."""
        return {
            "deliveries": self.deliveries,
            "pieces": self.pieces,
            "bytes": self.size,
            "last": self.last / 1e9,
            "latencies": self.latencies.pairs(),
        }


class Account:
    """The tally that counts now; a window of time has one of its own."""

    def __init__(self) -> None:
        self.now = Tally()

    def close(self) -> Tally:
        """Return what was counted until now, and begin anew."""
        closed, self.now = self.now, Tally()
        return closed


Take = Callable[[bytes], None]


def as_bytes(account: Account) -> Take:
    """Return what counts a piece of any system that was not decoded."""

    def take(data: bytes) -> None:
        account.now.take(data, message.count(data), message.oldest(data), message.newest(data))

    return take


def as_responses(account: Account) -> Take:
    """Return what parses a JoinResponse, and counts its events."""

    def take(data: bytes) -> None:
        events = pb.JoinResponse.FromString(data).events
        said = [events[0], events[-1]] if events else []
        first, last = (_said(said[0]), _said(said[-1])) if said else (0, 0)
        account.now.take(data, len(events), first, last)

    return take


def as_events(account: Account) -> Take:
    """Return what parses a piece that is one event."""

    def take(data: bytes) -> None:
        said = _said(pb.Event.FromString(data))
        account.now.take(data, 1, said, said)

    return take


class Framed:
    """Counts messages of one known size in pieces that a byte stream was cut into anywhere."""

    def __init__(self, account: Account, size: int) -> None:
        self._account = account
        self._size = size
        self._rest = 0

    def take(self, data: bytes) -> None:
        """Count what is complete now."""
        count, self._rest = divmod(self._rest + len(data), self._size)
        self._account.now.take(data, count, message.oldest(data), message.newest(data))


def _said(event: pb.Event) -> int:
    return message.newest(event.text.encode())
