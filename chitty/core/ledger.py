"""What was accepted of whom: the numbers that incarnations have used, and the last receipts given for them.

Bounded, so that no sequence of joins and messages makes a hub grow without end. Knows no membership.
"""

from collections.abc import Iterable, Mapping

from chitty.core.event import Limits, Receipt

Entry = tuple[int, tuple[Receipt, ...]]
"""A ledger as plain values: its highest number, and the receipts, in the order in which they were given."""


class Ledger:
    """The numbers that one incarnation has used, and the last receipts given for them.

    Attributes:
        highest: the highest number that was accepted, 0 before the first.
        receipts: by number, in the order in which they were given.
    """

    __slots__ = ("highest", "receipts")

    def __init__(self, highest: int = 0, receipts: dict[int, Receipt] | None = None) -> None:
        self.highest = highest
        self.receipts = {} if receipts is None else receipts

    def enter(self, receipt: Receipt, keep: int) -> None:
        """Remember a receipt, and of all no more than `keep`."""
        self.highest = receipt.number
        self.receipts[receipt.number] = receipt
        self.forget(keep)

    def forget(self, keep: int) -> None:
        """Remember the last `keep` receipts only."""
        while len(self.receipts) > keep:
            del self.receipts[next(iter(self.receipts))]

    def entry(self) -> Entry:
        """Return it as plain values."""
        return self.highest, tuple(self.receipts.values())

    @classmethod
    def of(cls, entry: Entry) -> "Ledger":
        """Return the ledger that an entry tells of."""
        highest, receipts = entry
        return cls(highest, {receipt.number: receipt for receipt in receipts})


class Ledgers:
    """The ledgers of all who belong, and of the last who left."""

    def __init__(self) -> None:
        self._ledgers: dict[str, Ledger] = {}
        self._departed: dict[str, int] = {}  # how many receipts are kept of each, the longest gone first
        self._departed_receipts = 0

    def __contains__(self, incarnation: str) -> bool:
        """Tell whether anything was ever accepted of it, as far as that is remembered."""
        return incarnation in self._ledgers

    def get(self, incarnation: str) -> Ledger | None:
        """Return the ledger of one who belongs or belonged."""
        return self._ledgers.get(incarnation)

    def open(self, incarnation: str) -> Ledger:
        """Return the ledger of one who joins: its old one, if it is remembered."""
        self._departed_receipts -= self._departed.pop(incarnation, 0)
        return self._ledgers.setdefault(incarnation, Ledger())

    def close(self, incarnation: str, limits: Limits) -> None:
        """Note that one has left; who left longest ago is forgotten when there are too many."""
        kept = len(self._ledgers[incarnation].receipts)
        self._departed[incarnation] = kept
        self._departed_receipts += kept
        self._forget(limits)

    def bound(self, limits: Limits) -> None:
        """Keep other limits from here on."""
        for ledger in self._ledgers.values():
            ledger.forget(limits.receipts)
        self._departed = {incarnation: len(self._ledgers[incarnation].receipts) for incarnation in self._departed}
        self._departed_receipts = sum(self._departed.values())
        self._forget(limits)

    def _forget(self, limits: Limits) -> None:
        while len(self._departed) > 1 and (
            len(self._departed) > limits.departed or self._departed_receipts > limits.departed_receipts
        ):
            forgotten = next(iter(self._departed))
            self._departed_receipts -= self._departed.pop(forgotten)
            del self._ledgers[forgotten]

    def entries(self) -> dict[str, Entry]:
        """Return all as plain values."""
        return {incarnation: ledger.entry() for incarnation, ledger in self._ledgers.items()}

    def departed(self) -> tuple[str, ...]:
        """Return who left, the longest gone first."""
        return tuple(self._departed)

    @classmethod
    def of(cls, entries: Mapping[str, Entry], departed: Iterable[str]) -> "Ledgers":
        """Return the ledgers that plain values tell of."""
        made = cls()
        made._ledgers = {incarnation: Ledger.of(entry) for incarnation, entry in entries.items()}
        made._departed = {incarnation: len(made._ledgers[incarnation].receipts) for incarnation in departed}
        made._departed_receipts = sum(made._departed.values())
        return made
