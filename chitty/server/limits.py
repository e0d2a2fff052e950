"""What a peer may ask for, by count and by time. Knows addresses and incarnations, and no call."""

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from chitty.core.errors import LimitExceeded
from chitty.core.hub import FULL


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
        if excess > 0:
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
        self._count = _Count(limit)

    @contextlib.contextmanager
    def one_from(self, peer: str) -> Iterator[None]:
        """Count one more from a peer, as gRPC names it, for as long as the block lasts.

        Raises:
            LimitExceeded: there are too many from its address already.
        """
        address = address_of(peer)
        if address is None:
            yield
            return
        with self._count.one_more(address, f"participants are connected from {address}", FULL):
            yield


class Publishers:
    """How many Publish streams each session has open: one is enough, and each costs memory while it is silent."""

    def __init__(self, limit: int) -> None:
        self._count = _Count(limit)

    @contextlib.contextmanager
    def one_of(self, incarnation: str) -> Iterator[None]:
        """Count one more of an incarnation for as long as the block lasts.

        Raises:
            LimitExceeded: it has too many already.
        """
        with self._count.one_more(incarnation, "Publish streams of this session are open", 1.0):
            yield


class _Count:
    """How many there are by key, at most `limit` each; 0 sets no bound."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count: Counter[str] = Counter()

    @contextlib.contextmanager
    def one_more(self, key: str, what: str, retry_after: float) -> Iterator[None]:
        if self._limit and self._count[key] >= self._limit:
            raise LimitExceeded(f"{self._limit} {what}, which is the limit: try again later", retry_after=retry_after)
        self._count[key] += 1
        try:
            yield
        finally:
            self._count[key] -= 1
            if not self._count[key]:
                del self._count[key]


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
