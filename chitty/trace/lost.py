"""Messages that nobody received: who should have, by the hub's own order of joins and leaves. Judges nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

from chitty.core.names import fold
from chitty.trace.causality import Causality
from chitty.trace.history import Event, History, Life


@dataclass(frozen=True, slots=True)
class Lost:
    """A message that was sent and not received: lost, refused, or on its way where the logs end.

    Attributes:
        op: join, publish or leave; deliver or ack when the hub sent it.
        to: whom it was for; None for the hub.
        refusal: the event in which its sender learned that it was refused.
    """

    sent: Event
    op: str
    to: Life | None = None
    refusal: Event | None = None


def lost(history: History, causality: Causality) -> Iterator[Lost]:
    """Yield every message of which the logs have the sending only."""
    yield from _unreceived(history, causality)
    yield from _undelivered(history, causality)


def _unreceived(history: History, causality: Causality) -> Iterator[Lost]:
    refusals = {event.says.id: event for event in history.events if event.kind == "refused"}
    for event in causality.unreceived:
        yield Lost(event, event.says.op, refusal=refusals.get(event.says.id))


def _undelivered(history: History, causality: Causality) -> Iterator[Lost]:
    """Follow the membership along each epoch, and see who lacks what; only where a log is at hand."""
    lives = {life.incarnation: life for life in history.participants if life.incarnation}
    members: dict[str, dict[str, Life]] = {}
    for hub in history.hubs:
        for event in hub.events:
            if event.kind != "broadcast":
                continue
            says = event.says
            present = members.setdefault(says.epoch, {})
            author = lives.get(says.cause.rpartition(".")[0])
            if says.op == "join" and author is not None:
                present[fold(says.participant)] = author
            elif says.op == "leave":
                present.pop(fold(says.participant), None)
            reached = {effect.life for effect in causality.effects(event) if effect.kind == "deliver"}
            for life in present.values():
                if life not in reached:
                    yield Lost(event, "deliver", life)
            if author is not None and says.op != "join" and not _receipted(causality, event, author):
                yield Lost(event, "ack", author)


def _receipted(causality: Causality, event: Event, author: Life) -> bool:
    return any(effect.kind == "ack" and effect.life is author for effect in causality.effects(event))
