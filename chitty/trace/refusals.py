"""Messages that were refused although the hub accepted them, and which of those a correct run can have."""

from collections.abc import Iterator
from dataclasses import dataclass

from chitty.core.errors import AlreadyJoined, InvalidArgument, NameTaken
from chitty.core.event import Kind
from chitty.trace.evidence import Evidence, Passage
from chitty.trace.history import Event

_DECIDED_BY_HUB = frozenset({AlreadyJoined.status, InvalidArgument.status, NameTaken.status})
"""Statuses of a refused Join that a hub that accepted it once does not give."""


@dataclass(frozen=True, slots=True)
class Untrue:
    """A refusal that is not true, what shows that, and what should have been instead."""

    refusal: Event
    witness: Event
    expected: str


class Refusals:
    """Finds refusals that are not true, each once.

    A publish is repeated until its first answer is known, or given up in another epoch: refused means refused. A
    Join or a Leave that was accepted while its answer was lost is repeated, and may then be refused by the service
    of another epoch, which does not know of it. A repeated Join may even be refused in the same one, before the hub
    is asked: for the secret or certificate shown with it, or the address that it comes from.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._doubtful: dict[Event, Event] = {}
        self._found: set[Event] = set()

    def see(self, passage: Passage) -> Iterator[Untrue]:
        """Yield those that a passage shows to be untrue."""
        for accepted, refusal in passage.contradicted:
            op, status = refusal.says.op, refusal.says.status
            if op == Kind.PUBLISHED:
                yield from self._accepted(accepted, refusal)
            elif op == Kind.LEFT or status in _DECIDED_BY_HUB:
                self._doubtful.setdefault(refusal, accepted)
        for stay in (*passage.shut, *(run.stay for run in passage.runs)):
            if stay.refused is not None and stay.first is not None:
                expected = f"nothing delivered: id={stay.refused.says.id} was refused"
                yield from self._once(Untrue(stay.refused, stay.first, expected))

    def conclude(self) -> Iterator[Untrue]:
        """Yield those that no other epoch explains, now that all epochs are known."""
        if self._evidence.lacks_hub():
            return
        doubtful, self._doubtful = self._doubtful, {}
        for refusal, accepted in doubtful.items():
            if not self._evidence.another_epoch_followed(accepted.life):
                yield from self._accepted(accepted, refusal)

    def lack(self) -> str:
        """Return what is missing to judge those that are left, or empty."""
        left = (one for one in self._doubtful.values() if not self._evidence.another_epoch_followed(one.life))
        return self._evidence.lacks_hub() if any(left) else ""

    def _accepted(self, accepted: Event, refusal: Event) -> Iterator[Untrue]:
        yield from self._once(Untrue(refusal, accepted, f"id={refusal.says.id} not accepted: it was refused"))

    def _once(self, found: Untrue) -> Iterator[Untrue]:
        if found.refusal not in self._found:
            self._found.add(found.refusal)
            yield found
