"""Which part of a history is to be shown, and what of it is not. Knows no geometry and no format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chitty.core.errors import NoSuchParticipant, NotRunning, SettingsError
from chitty.core.names import fold
from chitty.trace.causality import Causality
from chitty.trace.history import Event, History, Life


@dataclass(frozen=True, slots=True)
class Breach:
    """A violation, as far as a drawing is concerned.

    Attributes:
        property: its id, such as `C2`.
        message: what was expected and what was found.
        places: of the events that show it, each as `file:line`.
    """

    property: str
    message: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see of a history.

    Attributes:
        first: lowest Lamport time, None for all from the beginning.
        last: highest Lamport time, None for all to the end.
        participants: names; none for all.
    """

    first: int | None = None
    last: int | None = None
    participants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """The lives and events that are shown; values only, made by `select`.

    Attributes:
        lives: that have an event to show: hubs first, then participants in the order of joining.
        events: that are shown, each after all that happened before it; those of a causal cycle last.
        outside: how many events of these lives have another Lamport time than was asked for.
        hidden: participants that were not asked for.
        range: the lowest and the highest Lamport time that is shown.
    """

    history: History
    causality: Causality
    lives: Sequence[Life]
    events: Sequence[Event]
    outside: int
    hidden: int
    range: tuple[int, int]
    shown: frozenset[Event] = field(repr=False)

    def notes(self) -> Iterator[str]:
        """Tell what is shown and what is not, in words."""
        first, last = self.range
        yield f"Lamport time {first} to {last}" if first < last else f"Lamport time {first}"
        yield _count(len({life.process for life in self.lives}), "process", "processes")
        yield _count(len(self.events), "event", "events")
        if self.outside:
            yield f"{_count(self.outside, 'event', 'events')} at other times not shown"
        if self.hidden:
            yield f"{_count(self.hidden, 'participant', 'participants')} not shown"
        unbelieved = sum(log.headless for log in self.history.logs)
        if unbelieved:
            yield f"{_count(unbelieved, 'line', 'lines')} without a head not believed"


def select(history: History, causality: Causality, wish: Wish) -> Selection:
    """Choose what is shown; the service always is.

    Raises:
        NotRunning: the logs hold no event.
        NoSuchParticipant: nobody was called so.
        SettingsError: nothing happened at these Lamport times.
    """
    lives = [life for life in history.lives if life.events]
    if not lives:
        raise NotRunning(f"there are no events in the logs in {history.folder}: `chitty up` starts a stack")
    chosen = _chosen(history, wish.participants)
    wanted = [life for life in lives if life.is_hub or chosen is None or fold(life.process.name) in chosen]
    own = set(wanted)
    ordered = [event for event in (*causality.order, *_left_over(causality, lives)) if event.life in own]
    low = -1 if wish.first is None else wish.first
    high = 1 << 62 if wish.last is None else wish.last
    events = [event for event in ordered if low <= event.lamport <= high]
    if not events:
        times = [event.lamport for event in ordered]
        raise SettingsError(
            f"nothing happened {_span(wish)}: Lamport times go from {min(times)} to {max(times)}"
            if times
            else "those participants have no event"
        )
    present = {event.life for event in events}
    return Selection(
        history,
        causality,
        sorted(
            (life for life in wanted if life in present), key=lambda life: (not life.is_hub, *_joined(life, causality))
        ),
        events,
        len(ordered) - len(events),
        len({life.process for life in lives} - {life.process for life in wanted}),
        (min(event.lamport for event in events), max(event.lamport for event in events)),
        frozenset(events),
    )


def _chosen(history: History, names: Sequence[str]) -> set[str] | None:
    if not names:
        return None
    known = {fold(process.name): process.name for process in history.processes if not process.is_hub}
    for name in names:
        if fold(name) not in known:
            there = ", ".join(sorted(known.values())) or "nobody"
            raise NoSuchParticipant(f"no log in {history.folder} is of a participant {name!r}: there is {there}")
    return {fold(name) for name in names}


def _left_over(causality: Causality, lives: Sequence[Life]) -> list[Event]:
    """Return the events that no order can hold: those of a causal cycle, and all after them."""
    placed = set(causality.order)
    return [event for life in lives for event in life.events if event not in placed] if causality.cycle else []


def _joined(life: Life, causality: Causality) -> tuple[str, int]:
    """Return by what lives are put in order: when the own join was broadcast, or else when it began."""
    for event in life.events:
        if event.kind == "deliver":
            return (causality.cause(event) or event).wall, event.says.seq
    return life.events[0].wall, 0


def _span(wish: Wish) -> str:
    if wish.first is None:
        return f"up to Lamport time {wish.last}"
    if wish.last is None:
        return f"from Lamport time {wish.first} on"
    return f"from Lamport time {wish.first} to {wish.last}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
