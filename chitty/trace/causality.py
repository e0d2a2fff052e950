"""Happens-before, rebuilt from message ids: never from timestamps, which are what is to be proved.

    causality = Causality(history)
    for event in causality.order: ...             # respects happens-before
    causality.cause(event)                        # the event that sent what this one received
    causality.before(a, b), causality.concurrent(a, b)

Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", 1978: a happens before b when a
comes first in one process, or a sends what b receives, or something is between them. Every message passes a
hub. So for each life of a hub two numbers of an event tell all: the last event of the hub that it has in its
past, and the first one that has it in theirs; with them `before` is a comparison of integers, where vector
clocks (Fidge 1988, Mattern 1989) take one for each process.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chitty.trace.history import Event, History, Life

_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Message:
    """One message from event to event: `op` is join, publish, leave, deliver or ack."""

    sent: Event
    received: Event
    op: str


@dataclass(slots=True)
class _Mark:
    """Where an event is among the hubs' events: one number for each life of a hub."""

    at: int
    past: tuple[int, ...] = ()
    future: tuple[int, ...] = ()


class Causality:
    """What happened before what, in one history.

    Attributes:
        messages: every message of which both ends are known, in order of the receiving events' logs.
        order: all events, each after everything that happened before it; by wall time where that leaves a
            choice. Without those of `cycle` and what comes after them.
        cycle: events each of which would have to happen before the next one and the last before the first;
            empty unless the logs contradict themselves.
    """

    def __init__(self, history: History) -> None:
        self._lives = list(history.lives)
        self._hubs = {life: index for index, life in enumerate(life for life in self._lives if life.is_hub)}
        self._causes: dict[Event, Event] = {}
        self._effects: dict[Event, list[Event]] = defaultdict(list)
        self._link(history)
        self._marks: dict[Event, _Mark] = {}
        self.order, self.cycle = self._replay()
        self._mark_futures()

    @property
    def messages(self) -> Iterator[Message]:
        """Every message of which both ends are known."""
        for received, sent in self._causes.items():
            kind = received.kind
            if kind != "start":
                yield Message(sent, received, received.says.op if kind == "receive" else kind)

    @property
    def unreceived(self) -> Iterator[Event]:
        """Sends that no hub received: refused, lost, or on their way where the logs end."""
        for life in self._lives:
            for event in life.events:
                if event.kind == "send" and event not in self._effects:
                    yield event

    def cause(self, event: Event) -> Event | None:
        """Return the event that sent what this one received; None for one that received nothing known."""
        return self._causes.get(event)

    def effects(self, event: Event) -> Sequence[Event]:
        """Return the events that received what this one sent."""
        return self._effects.get(event, ())

    def before(self, a: Event, b: Event) -> bool:
        """Tell whether a happened before b."""
        first, second = self._marks.get(a), self._marks.get(b)
        if first is None or second is None or a is b:
            return False
        if a.life is b.life:
            return first.at < second.at
        return any(one <= other for one, other in zip(first.future, second.past, strict=True))

    def concurrent(self, a: Event, b: Event) -> bool:
        """Tell whether neither of two events happened before the other."""
        return a is not b and not self.before(a, b) and not self.before(b, a)

    def past(self, event: Event) -> tuple[int, ...]:
        """Return, for each life of a hub in the history's order, how many of its events happened before or at this.

        Together with `future` it serves a drawing that works without this program: a happened before b, in
        another life, when for some hub `future(a)[i] <= past(b)[i]`.
        """
        return self._marks[event].past

    def future(self, event: Event) -> tuple[int, ...]:
        """Return, for each life of a hub, the number of its first event at or after this one, huge for none."""
        return self._marks[event].future

    def position(self, event: Event) -> int:
        """Return the number of an event in its life as it was read, from 1."""
        return self._marks[event].at

    def _link(self, history: History) -> None:
        sends = {event.says.id: event for event in history.events if event.kind == "send"}
        broadcasts: dict[tuple[str, int], Event] = {}
        for event in history.events:
            if event.kind == "broadcast":
                broadcasts.setdefault((event.says.epoch, event.says.seq), event)
        last_of_epoch: dict[str, Event] = {}
        for life in self._lives:
            for event in life.events:
                kind = event.kind
                sent = None
                if kind == "receive":
                    sent = sends.get(event.says.id)
                elif kind in {"deliver", "ack"}:
                    sent = broadcasts.get((event.says.epoch, event.says.seq))
                elif kind == "start" and life.is_hub:
                    # A hub that recovered its clock goes on where an earlier life of its epoch stopped.
                    sent = last_of_epoch.get(event.says.epoch)
                if sent is not None and sent is not event:
                    self._causes[event] = sent
                    self._effects[sent].append(event)
            if life.is_hub and life.events:
                last_of_epoch[life.epoch] = life.events[-1]

    def _replay(self) -> tuple[list[Event], list[Event]]:
        """Take each event after its cause and its predecessor (Kahn, "Topological Sorting", CACM 5(11), 1962)."""
        ready = deque(sorted((life for life in self._lives if life.events), key=lambda life: life.events[0].wall))
        waiting: dict[Event, list[Life]] = defaultdict(list)
        taken = dict.fromkeys(self._lives, 0)
        pasts = dict.fromkeys(self._lives, (0,) * len(self._hubs))
        order: list[Event] = []
        while ready:
            life = ready.popleft()
            for event in life.events[taken[life] :]:
                cause = self._causes.get(event)
                if cause is not None and cause not in self._marks:
                    waiting[cause].append(life)
                    break
                taken[life] += 1
                pasts[life] = past = self._merged(pasts[life], cause, life, taken[life])
                self._marks[event] = _Mark(taken[life], past)
                order.append(event)
                ready.extend(waiting.pop(event, ()))
        cycle = _cycle(
            {life: life.events[taken[life]] for life in self._lives if taken[life] < len(life.events)}, self._causes
        )
        return self._by_wall(order), cycle

    def _merged(self, past: tuple[int, ...], cause: Event | None, life: Life, at: int) -> tuple[int, ...]:
        if cause is not None:
            known = self._marks[cause].past
            if known != past:
                past = tuple(map(max, past, known))
        index = self._hubs.get(life)
        return past if index is None else (*past[:index], at, *past[index + 1 :])

    def _by_wall(self, order: list[Event]) -> list[Event]:
        """Sort by wall time as far as happens-before allows: an event is not earlier than its causes."""
        latest: dict[Event, str] = {}
        before: dict[Life, str] = {}
        for event in order:
            cause = self._causes.get(event)
            wall = max(event.wall, before.get(event.life, ""), latest[cause] if cause is not None else "")
            latest[event] = before[event.life] = wall
        return sorted(order, key=latest.__getitem__)  # stable: those of one time stay in causal order

    def _mark_futures(self) -> None:
        """Walk backwards: what comes after an event is what comes after its successor and its effects."""
        never = (_NEVER,) * len(self._hubs)
        after: dict[Life, tuple[int, ...]] = {}
        for event in reversed(self.order):
            future = after.get(event.life, never)
            for effect in self._effects.get(event, ()):
                mark = self._marks.get(effect)
                if mark is not None and mark.future != future:
                    future = tuple(map(min, future, mark.future))
            index = self._hubs.get(event.life)
            mark = self._marks[event]
            if index is not None:
                future = (*future[:index], mark.at, *future[index + 1 :])
            after[event.life] = mark.future = future


def _cycle(stuck: dict[Life, Event], causes: dict[Event, Event]) -> list[Event]:
    """Return events that wait for one another in a circle: each life's next event waits for its cause's life."""
    if not stuck:
        return []
    path: dict[Life, None] = {}
    life = next(iter(stuck))
    while life not in path:
        path[life] = None
        life = causes[stuck[life]].life
    lives = list(path)
    return [stuck[life] for life in lives[lives.index(life) :]]


def chain(causality: Causality, event: Event) -> Iterable[Event]:
    """Yield the causes of an event backwards: who sent what it received, what that one had received, and so on."""
    cause = causality.cause(event)
    while cause is not None:
        yield cause
        cause = causality.cause(cause) or _received_before(cause)


def _received_before(event: Event) -> Event | None:
    """Return, for a hub's broadcast, the event of the hub directly before it, which caused it."""
    events = event.life.events
    index = event.n - 2
    if event.kind == "broadcast" and 0 <= index < len(events) and events[index].n == event.n - 1:
        return events[index]
    return None
