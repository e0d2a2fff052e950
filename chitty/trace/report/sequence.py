"""One participant's joining, speaking and leaving, picked out of a run: the calls that a report traces.

Events come from the history and their connections from message ids. Knows no drawing and no page.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chitty.core.names import fold
from chitty.trace.causality import Causality
from chitty.trace.history import Event, History, Life

_OTHERS = 2  # beside the participant and the service: more would make a drawing too small to read


@dataclass(frozen=True, slots=True)
class Call:
    """A message of a participant, or what the hub noticed of it, and all that came of it.

    Attributes:
        op: join, publish or leave.
        events: the send, the hub's receipt and broadcast, deliveries and receipt, in no order.
        broadcast: of these.
    """

    op: str
    events: frozenset[Event]
    broadcast: Event


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some calls of a run.

    Attributes:
        name: the participant whose calls these are.
        calls: its join, a message, and its leave, as far as there are any.
        lives: that are shown: its own, the hub's, and some others'.
        events: of the calls in those lives, each after all that happened before it.
        hidden: deliveries to others that are left out.
    """

    name: str
    calls: tuple[Call, ...]
    lives: frozenset[Life]
    events: tuple[Event, ...]
    hidden: int


def calls(causality: Causality) -> Iterator[tuple[Life | None, Call]]:
    """Yield every broadcast as a call, with the life of whom it is about; None when that has no log."""
    present: dict[tuple[str, str], Life] = {}
    for event in causality.order:
        if event.kind == "broadcast":
            before = _before(event)
            sent = causality.cause(before) if before is not None and before.kind == "receive" else None
            about = (event.says.epoch, fold(event.says.participant))
            life = sent.life if sent is not None else present.get(about)
            if life is not None:
                present[about] = life
            found = (sent, before, event, *causality.effects(event))
            yield life, Call(event.says.op, frozenset(one for one in found if one is not None), event)


def excerpt(history: History, causality: Causality) -> Excerpt | None:
    """Choose whose calls tell most in least space; None when the logs have no participant's."""
    stays: dict[Life, list[list[Call]]] = {life: [] for life in history.participants}
    for life, call in calls(causality):
        if life in stays:
            if call.op == "join" or not stays[life]:
                stays[life].append([])
            stays[life][-1].append(call)
    stories = [(life, _story(stay)) for life, found in stays.items() for stay in found]
    if not stories:
        return None
    life, story = max(stories, key=lambda found: _worth(found[1]))
    return _excerpt(life, story, causality)


def previous(event: Event) -> int | None:
    """Return the clock of an event's process before it; None when the line that tells is not at hand."""
    before = _before(event)
    return before.lamport if before is not None else None


def _story(stay: list[Call]) -> list[Call]:
    """Return of a stay its beginning, the message that most were told, and the leave."""
    said = max((call for call in stay[1:] if call.op == "publish"), key=lambda call: len(call.events), default=None)
    leave = next((call for call in stay[1:] if call.op == "leave"), None)
    return [call for call in (stay[0], said, leave) if call is not None]


def _worth(story: list[Call]) -> tuple[int, bool, int, int]:
    """Prefer whole stories, then those that ended by asking, then with others to tell, then short ones."""
    asked = story[-1].broadcast.says.reason == "asked"
    others = min(_OTHERS, *(call.broadcast.says.members for call in story))
    span = story[-1].broadcast.lamport - story[0].broadcast.lamport
    return len({call.op for call in story}), asked, others, -span


def _excerpt(life: Life, story: list[Call], causality: Causality) -> Excerpt:
    wanted = {event for call in story for event in call.events}
    hubs = {call.broadcast.life for call in story}
    others = _most_told(wanted, {life, *hubs})
    lives = frozenset({life, *hubs, *others[:_OTHERS]})
    events = tuple(event for event in causality.order if event in wanted and event.life in lives)
    return Excerpt(life.process.name, tuple(story), lives, events, len(wanted) - len(events))


def _most_told(events: Iterable[Event], known: set[Life]) -> list[Life]:
    """Return the other lives, those first that have most of these events, then by when they began."""
    told: dict[Life, int] = {}
    for event in events:
        if event.life not in known:
            told[event.life] = told.get(event.life, 0) + 1
    return sorted(told, key=lambda life: (-told[life], life.events[0].wall, life.name))


def _before(event: Event) -> Event | None:
    """Return the event directly before another one in its process, if its line is at hand."""
    events, index = event.life.events, event.n - 2
    if 0 <= index < len(events) and events[index].n == event.n - 1:
        return events[index]
    return None
