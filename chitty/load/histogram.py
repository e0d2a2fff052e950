"""Latencies counted in buckets, each 3 % wide, after the HDR histogram (Tene, 2012). Pure."""

from collections.abc import Iterable

_BITS = 5
_FINE = 1 << _BITS  # buckets for each doubling


class Histogram:
    """How often each latency was seen; merges with others, and goes through JSON as pairs."""

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._counts: dict[int, int] = dict(pairs)

    def add(self, nanoseconds: int, times: int = 1) -> None:
        """Count a latency so many times."""
        microseconds = max(nanoseconds, 0) // 1000
        shift = max(0, microseconds.bit_length() - _BITS - 1)
        bucket = (shift << _BITS) + (microseconds >> shift)
        self._counts[bucket] = self._counts.get(bucket, 0) + times

    def merge(self, other: "Histogram") -> None:
        """Count everything that another has counted."""
        for bucket, times in other.pairs():
            self._counts[bucket] = self._counts.get(bucket, 0) + times

    def pairs(self) -> list[tuple[int, int]]:
        """Return it as pairs of bucket and count."""
        return sorted(self._counts.items())

    @property
    def total(self) -> int:
        """How many were counted."""
        return sum(self._counts.values())

    def quantile(self, share: float) -> float:
        """Return the latency in milliseconds that `share` of those counted do not exceed; 0 for none.

        The middle of its bucket stands for each latency.
        """
        wanted, seen = share * self.total, 0
        for bucket, times in self.pairs():
            seen += times
            if seen >= wanted:
                return _middle(bucket) / 1000
        return 0.0


def _middle(bucket: int) -> float:
    """Return the middle of a bucket in microseconds."""
    shift = max(0, (bucket >> _BITS) - 1)
    return ((bucket - (shift << _BITS)) + 0.5) * (1 << shift) if shift else float(bucket)
