"""A Lamport clock. Knows nothing of what its events mean."""

HORIZON = 2**32
"""How far ahead of a clock a timestamp may be before a hub refuses it, so that no peer winds it to its end."""

_LATE = 2**62
"""From here on a clock is only followed by LATE_HORIZON: a billion messages can wind it so far, on purpose only."""

LATE_HORIZON = 2**20
"""How far ahead of a late clock a timestamp may be. No correct process is: it has fewer messages without receipt.
It takes 2^43 of them, years of a busy service, to wind the clock on to the end of the wire's 64 bits."""


def horizon(time: int) -> int:
    """Return how far ahead of a clock at `time` a timestamp may be."""
    return HORIZON if time < _LATE else LATE_HORIZON


class LamportClock:
    """A process's logical clock: a counter that respects happens-before.

    Rules IR1 and IR2 of Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System",
    Communications of the ACM 21(7), 1978.
    """

    __slots__ = ("time",)

    def __init__(self, time: int = 0) -> None:
        self.time = time

    def tick(self) -> int:
        """Advance for a local or send event (IR1) and return its timestamp."""
        self.time += 1
        return self.time

    def receive(self, stamped: int) -> int:
        """Advance for the receipt of a message stamped `stamped` (IR2) and return the receive's timestamp."""
        self.time = max(self.time, stamped) + 1
        return self.time
