"""What a peer may ask for, by count and by time. Knows addresses and incarnations, and no call."""

import asyncio
import contextlib
import ipaddress
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from chitty.core.errors import LimitExceeded
from chitty.core.hub import FULL

_ROUNDING = 1e-6
"""Seconds that sums of moments may be wrong by: nobody is to wait for less."""


class Rates:
    """How much each may do a second: a token bucket for each, as one number.

    The number is when its bucket will be full again (the generic cell rate algorithm, ITU-T I.371).

    Args:
        rate: tokens a second; 0 sets no bound.
        burst: tokens that a full bucket has.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = max(burst, rate)
        self._full_at: dict[str, float] = {}

    def take(self, who: str, count: int, now: float) -> None:
        """Take tokens at a moment of a clock that does not go back.

        Raises:
            LimitExceeded: there are not as many now; none has been taken, and it says when there will be.
        """
        if not self._rate:
            return
        full_at = max(self._full_at.get(who, 0.0), now) + count / self._rate
        excess = full_at - now - self._burst / self._rate
        if excess > _ROUNDING:
            raise LimitExceeded(
                f"more than {self._rate:g} messages a second, and {self._burst:g} at once, are too many:"
                f" wait {excess:.2f} s",
                retry_after=excess,
            )
        self._full_at[who] = full_at

    def forget(self, now: float) -> None:
        """Forget those whose buckets are full: they are as good as new."""
        self._full_at = {who: full_at for who, full_at in self._full_at.items() if full_at > now}


class Addresses:
    """How many are connected from each address; the loopback and unix sockets are not counted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._streams: dict[str, Counter[str]] = {}

    @contextlib.contextmanager
    def one_from(self, peer: str, incarnation: str) -> Iterator[None]:
        """Count a stream of a participant from a peer, as gRPC names it, for as long as the block lasts.

        Several streams of one participant are one: it takes its own membership over.

        Raises:
            LimitExceeded: there are too many participants from its address already.
        """
        address = address_of(peer)
        if address is None:
            yield
            return
        here = self._streams.setdefault(address, Counter())
        if self._limit and incarnation not in here and len(here) >= self._limit:
            raise LimitExceeded(
                f"{self._limit} participants are connected from {address}, which is the limit: try again later",
                retry_after=FULL,
            )
        here[incarnation] += 1
        try:
            yield
        finally:
            here[incarnation] -= 1
            if not here[incarnation]:
                del here[incarnation]
            if not here:
                del self._streams[address]


class Publishers:
    """The Publish streams that each session has open: one is enough, and each costs memory while it is silent.

    Args:
        limit: how many a session may have; 0 sets no bound.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._streams: dict[str, set[asyncio.Task[object]]] = {}

    def __len__(self) -> int:
        """Return how many are open."""
        return sum(map(len, self._streams.values()))

    @contextlib.contextmanager
    def one_of(self, incarnation: str) -> Iterator[None]:
        """Count the running task as one more of an incarnation for as long as the block lasts.

        Raises:
            LimitExceeded: it has too many already.
        """
        streams = self._streams.setdefault(incarnation, set())
        if self._limit and len(streams) >= self._limit:
            raise LimitExceeded(
                f"{self._limit} Publish streams of this session are open, which is the limit: try again later",
                retry_after=1.0,
            )
        task = asyncio.current_task()
        assert task is not None
        streams.add(task)
        try:
            yield
        finally:
            streams.discard(task)
            if not streams:
                del self._streams[incarnation]

    def end(self, incarnation: str) -> None:
        """Cancel those of one incarnation."""
        for task in self._streams.get(incarnation, ()):
            task.cancel()

    def end_all(self) -> None:
        """Cancel all."""
        for incarnation in self._streams:
            self.end(incarnation)


def address_of(peer: str) -> str | None:
    """Return the address in gRPC's name of a peer, such as `ipv4:192.0.2.1:5051`; None for one of this machine."""
    family, _, rest = unquote(peer).partition(":")
    if family not in {"ipv4", "ipv6"}:
        return None
    host = rest.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None) or address
    return None if mapped.is_loopback else str(mapped)
