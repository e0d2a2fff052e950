"""A Lamport clock. Knows nothing of what its events mean."""

HORIZON = 2**32
"""How far ahead of a clock a timestamp may be before a hub refuses it, so that no peer winds it to its end."""


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
