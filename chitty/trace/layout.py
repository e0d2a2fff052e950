"""A space-time diagram in the manner of Lamport's paper, as geometry: what is where, before any format.

    diagram = lay_out(selection, Axis.LAMPORT)
    for dot in diagram.dots: ...

Time runs down, one lane a process, the hub in the middle, participants beside it from left to right in the
order of joining. On the Lamport axis a row is a tick: by the clock condition every arrow slopes down, and one
that does not is a violation. Knows no colours and no fonts, only how wide a text is about.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

from chitty.core.names import fold
from chitty.trace import axis, words
from chitty.trace.axis import ROW, Axis, Rows
from chitty.trace.faults import Faults
from chitty.trace.history import Event, Fate, Life
from chitty.trace.lost import Lost, lost
from chitty.trace.selection import Breach, Selection
from chitty.trace.shapes import NAME, TEXT, Arrow, Bar, Diagram, Dot, Lane, Lifeline, Mark, Point

_RULER = 44.0
_RULER_OF_WALL = 86.0
_HUG_GOING, _HUG_COMING = 8.0, 12.0
_LONG = 6 * ROW
_STUB = 46.0
_NAME_LINE = 16.0
_EDGE = ROW * 0.7


def lay_out(
    selection: Selection, chosen: Axis = Axis.LAMPORT, faults: Faults | None = None, breaches: Sequence[Breach] = ()
) -> Diagram:
    """Return the geometry of what is selected, with what was done to the processes and what was violated."""
    return _Drawing(selection, chosen, faults or Faults(), breaches).drawn()


class _Drawing:
    """One diagram in the making: lanes and rows first, then all that lies on them."""

    def __init__(self, selection: Selection, chosen: Axis, faults: Faults, breaches: Sequence[Breach]) -> None:
        self._selection = selection
        self._axis = chosen
        self._faults = faults
        self._lane_of, names = self._assigned()
        lanes = {event: self._lane_of[event.life] for event in selection.events}
        self._rows: Rows = axis.rows(chosen, selection.events, lanes)
        self._ids = {event: index for index, event in enumerate(selection.events)}
        self._by_life: dict[Life, list[Event]] = defaultdict(list)
        for event in selection.events:
            self._by_life[event.life].append(event)
        self._to = self._rows.bottom
        self._hub = next((self._lane_of[life] for life in selection.lives if life.is_hub), 0)
        self._witnesses = _witnesses(breaches)
        self._out = self._paper(names, breaches)

    def drawn(self) -> Diagram:
        for life in self._selection.lives:
            self._draw_life(life)
            if not life.is_hub:
                self._draw_stays(life)
        for event in self._selection.events:
            self._draw_event(event)
            self._draw_received(event)
        for event in self._selection.causality.order if self._selection.outside else ():
            self._draw_beyond(event)
        for missed in lost(self._selection.history, self._selection.causality):
            self._draw_lost(missed)
        self._out.bars.sort(key=lambda bar: bar.kind)  # a pause lies on the membership
        return self._out

    def _assigned(self) -> tuple[dict[Life, int], list[tuple[str, bool]]]:
        """Give each life a lane: half of the participants, the hub, the other half.

        A process that lives again begins at 0 again. On the Lamport axis its lives therefore lie beside one
        another; on the others they follow one another in one lane.
        """
        columns: dict[object, list[Life]] = {}
        for life in self._selection.lives:
            columns.setdefault(life if self._axis is Axis.LAMPORT else life.process, []).append(life)
        hubs = [lives for lives in columns.values() if lives[0].is_hub]
        others = [lives for lives in columns.values() if not lives[0].is_hub]
        half = (len(others) + 1) // 2
        ordered = [*others[:half], *hubs, *others[half:]]
        names = [
            (lives[0].name if self._axis is Axis.LAMPORT else lives[0].process.name, lives[0].is_hub)
            for lives in ordered
        ]
        return {life: index for index, lives in enumerate(ordered) for life in lives}, names

    def _paper(self, names: Sequence[tuple[str, bool]], breaches: Sequence[Breach]) -> Diagram:
        spacing = _spacing(len(names))
        ruler = _RULER_OF_WALL if self._axis is Axis.WALL else _RULER
        left = ruler + max(spacing * 0.85, 90.0)
        hubs = [index for index, (_, is_hub) in enumerate(names) if is_hub]
        lanes = [
            Lane(
                index,
                words.safe(name),
                words.wrap(words.safe(name), spacing - 22, NAME),
                left + index * spacing,
                0 if is_hub else 1 if hubs and index > hubs[-1] else -1,
            )
            for index, (name, is_hub) in enumerate(names)
        ]
        width = left + (len(names) - 1) * spacing + max(spacing * 0.85, 90.0) + 16
        head = max(len(lane.lines) for lane in lanes) * _NAME_LINE + 14
        notes = list(self._selection.notes())
        out = Diagram(
            self._axis, self._selection, spacing, ruler, width, self._to + _EDGE, head, lanes, notes, breaches
        )
        out.collapses, out.ticks = self._rows.collapses, self._rows.ticks
        return out

    def _draw_life(self, life: Life) -> None:
        events, lane = self._by_life[life], self._lane_of[life]
        top, bottom = self._y(events[0]), self._y(events[-1])
        if events[0] is not life.events[0] or life.start is None:
            top = 0.0
        goes_on = events[-1] is not life.events[-1] or life.fate is Fate.RUNNING
        if goes_on:
            bottom = max(self._to, bottom)
        elif life.fate is Fate.CRASHED:
            bottom += ROW * 0.6
            how = self._faults.death_of(life)
            told = f"{words.safe(life.name)} crashed: {how}" if how else f"{words.safe(life.name)} crashed: no `end`"
            self._out.marks.append(Mark(lane, bottom, "crash", told))
        # On the Lamport axis a restarted clock may lie anywhere.
        top = min([top, *(self._y(event) for event in events)])
        bottom = max([bottom, *(self._y(event) for event in events)])
        self._out.lifelines.append(Lifeline(lane, top, bottom, goes_on))
        self._draw_pauses(life, events)
        for before, after in itertools.pairwise(events):
            if after.lamport <= before.lamport and after.kind != "end" and after.n == before.n + 1:
                self._draw_fall(before, after)

    def _draw_pauses(self, life: Life, events: Sequence[Event]) -> None:
        for pause in self._faults.pauses_of(life):
            before = [event for event in events if event.wall <= pause.since]
            after = [event for event in events if pause.until and event.wall >= pause.until]
            if not before or (pause.until and not after and events[-1] is not life.events[-1]):
                continue
            top = self._y(before[-1]) + ROW * 0.4
            bottom = max(self._y(after[0]) - ROW * 0.4, top) if after else top + ROW * 0.6
            if not pause.until:
                bottom = max(bottom, self._to)
            until = f"to {pause.until}" if pause.until else "and never let go on"
            told = f"{words.safe(life.name)} was paused from {pause.since} {until}"
            lane = self._lane_of[life]
            self._out.bars.append(Bar(lane, top, bottom, "paused", told))
            self._out.marks.append(Mark(lane, (top + bottom) / 2, "pause", told))

    def _draw_fall(self, before: Event, after: Event) -> None:
        """Draw that a clock did not rise: C1."""
        lane = self._lane_of[before.life]
        side = self._out.lanes[lane].side or 1
        path = (
            Point(lane, 0, self._y(before)),
            Point(lane, side * 26, (self._y(before) + self._y(after)) / 2),
            Point(lane, 0, self._y(after)),
        )
        told = f"the clock of {words.safe(before.life.name)} did not rise: {before.lamport}, then {after.lamport}"
        self._out.arrows.append(Arrow(path, "", told, self._ids[before], self._ids[after], rises=True, local=True))

    def _draw_stays(self, life: Life) -> None:
        """Draw from each own join to the leave, or to what else ended the stay."""
        since: Event | None = None
        own = fold(life.process.name)
        name = words.safe(life.name)
        for event in life.events:
            says = event.says
            mine = event.kind == "deliver" and fold(says.participant) == own
            if mine and says.op == "join":
                since = event
            elif since is not None and event.kind == "send" and says.op == "join":
                self._draw_stay(life, since, event, f"{name} was a member, until it had to join anew")
                since = None
            elif since is not None and (event.kind == "ack" or mine) and says.op == "leave":
                self._draw_stay(life, since, event, f"{name} was a member, to its leave")
                since = None
        if since is not None:
            self._draw_stay(life, since, None, f"{name} is a member")
            self._draw_unnoticed(life, since)

    def _draw_stay(self, life: Life, since: Event | None, until: Event | None, told: str) -> None:
        shown = self._by_life[life]
        if since is None or (until is not None and until.n < shown[0].n) or since.n > shown[-1].n:
            return
        top = self._y(since) if since in self._rows.of else 0.0
        if until is not None and until in self._rows.of:
            bottom = self._y(until)
        elif until is not None or shown[-1] is not life.events[-1] or life.fate is Fate.RUNNING:
            bottom = self._to
        else:
            bottom = self._y(shown[-1]) + (ROW * 0.6 if life.fate is Fate.CRASHED else 0)
        self._out.bars.append(Bar(self._lane_of[life], min(top, bottom), max(top, bottom), "member", told))

    def _draw_unnoticed(self, life: Life, since: Event) -> None:
        """Draw how long a participant that ended without a leave was still a member: until the hub noticed."""
        last = life.events[-1]
        if life.fate is Fate.RUNNING or last not in self._rows.of:
            return
        own = fold(life.process.name)
        for hub in self._selection.history.hubs:
            for event in hub.events:
                says = event.says
                if event.kind == "broadcast" and says.op == "leave" and fold(says.participant) == own:
                    if says.epoch != since.says.epoch or says.seq < since.says.seq:
                        continue
                    top = self._y(last) + (ROW * 0.6 if life.fate is Fate.CRASHED else 0)
                    if event in self._rows.of and self._y(event) > top:
                        told = f"the hub noticed at {event.lamport} that {words.safe(life.name)} was {says.reason}"
                        bar = Bar(self._lane_of[life], top, self._y(event), "unnoticed", told)
                        self._out.bars.append(bar)
                    return

    def _draw_event(self, event: Event) -> None:
        lane = self._out.lanes[self._lane_of[event.life]]
        cause = self._selection.causality.cause(event)
        told = words.label(event)
        if event.kind == "broadcast" and not self._author_shown(event):
            told = words.subject(event)
        side = lane.side
        if side == 0:
            came = self._came_from(event)
            side = -came if came else 1
        stamp = str(event.lamport)
        room = self._out.spacing - 34 - words.width(stamp, TEXT)
        breaches = self._witnesses.get(event.place, ()) if self._witnesses else ()
        title = words.title(event, self._selection.causality)
        for number in breaches:
            title += f"\n{self._out.breaches[number - 1].property} violated: {self._out.breaches[number - 1].message}"
        if event.kind in {"receive", "deliver", "ack"} and cause is None:
            title += "\nno log at hand says who sent this"
        self._out.dots.append(
            Dot(
                self._ids[event],
                event,
                lane.index,
                self._y(event),
                event.says.op,
                event.kind,
                stamp,
                words.shorten(told, max(room, 0), TEXT) if told else "",
                side,
                title,
                breaches,
            )
        )

    def _author_shown(self, event: Event) -> bool:
        """Tell whether what a broadcast says is told by a dot of its author already."""
        events = event.life.events
        at = self._selection.causality.position(event) - 2 if event in self._rows.of else -1
        before = events[at] if 0 <= at < len(events) else None
        if before is None or before.says.id != event.says.cause or not event.says.cause:
            return before is not None and before.kind == "detect"
        sent = self._selection.causality.cause(before)
        return sent is not None and sent in self._rows.of

    def _came_from(self, event: Event) -> int:
        """Return the side of the one whose message the hub received last, up to an event."""
        at = self._selection.causality.position(event) if event.kind in {"receive", "broadcast"} else 0
        for known in event.life.events[max(at - 2, 0) : at][::-1]:
            sent = self._selection.causality.cause(known)
            if known.kind == "receive" and sent is not None and sent.life in self._lane_of:
                return self._out.lanes[self._lane_of[sent.life]].side
        return 0

    def _draw_received(self, event: Event) -> None:
        """Draw the message that an event received, from wherever it came."""
        if event.kind not in {"receive", "deliver", "ack"}:
            return
        sent = self._selection.causality.cause(event)
        if sent is None or sent.life not in self._lane_of:
            who = words.safe(event.says.participant if event.kind == "receive" else "the hub")
            why = "not shown" if sent is not None else "of whom no log is at hand"
            self._draw_stub(event, f"from {who}, {why}")
            return
        if sent not in self._rows.of:
            self._draw_open(sent, event)
            return
        self._draw_message(sent, event)

    def _draw_message(self, sent: Event, event: Event) -> None:
        to_hub = event.life.is_hub
        start, end = self._at(sent), self._at(event)
        rises = event.lamport <= sent.lamport
        path = (start, end) if rises or end.y <= start.y else self._bent(start, end, to_hub=to_hub)
        told = f"{_message(event)} from {words.safe(sent.life.name)} at {sent.lamport} to {words.safe(event.life.name)}"
        self._out.arrows.append(
            Arrow(
                path,
                event.says.op,
                f"{told} at {event.lamport}" + (": the clock condition is violated" if rises else ""),
                self._ids[sent],
                self._ids[event],
                to_hub=to_hub,
                receipt=event.kind == "ack",
                rises=rises,
            )
        )

    def _bent(self, start: Point, end: Point, *, to_hub: bool) -> tuple[Point, ...]:
        """Let a message that is long under way wait beside its participant's lane, and not lie across all others."""
        if end.y - start.y <= _LONG:
            return start, end
        if to_hub:
            inward = _HUG_GOING if end.lane > start.lane else -_HUG_GOING
            return start, Point(start.lane, inward, start.y + 10), Point(start.lane, inward, end.y - 1.5 * ROW), end
        inward = _HUG_COMING if start.lane > end.lane else -_HUG_COMING
        return start, Point(end.lane, inward, start.y + 1.5 * ROW), Point(end.lane, inward, end.y - 10), end

    def _draw_stub(self, event: Event, told: str) -> None:
        """Draw that a message came from outside of the drawing."""
        end = self._at(event)
        side = self._out.lanes[end.lane].side
        start = Point(end.lane, -side * _STUB if side else -_STUB, end.y - ROW * 0.6)
        self._out.arrows.append(
            Arrow(
                (start, end),
                event.says.op,
                told,
                target=self._ids[event],
                to_hub=event.life.is_hub,
                receipt=event.kind == "ack",
                open=True,
            )
        )

    def _draw_open(self, sent: Event, event: Event) -> None:
        """Draw a message that was sent before, or after, what is shown."""
        start = Point(self._lane_of[sent.life], 0, 0.0 if sent.lamport < event.lamport else self._to)
        told = f"{_message(event)} from {words.safe(sent.life.name)} at {sent.lamport}, not shown"
        rises = event.lamport <= sent.lamport
        end, to_hub = self._at(event), event.life.is_hub
        path = (start, end) if rises else self._bent(start, end, to_hub=to_hub)
        self._out.arrows.append(
            Arrow(
                path,
                event.says.op,
                told,
                target=self._ids[event],
                to_hub=to_hub,
                receipt=event.kind == "ack",
                open=True,
                rises=rises,
            )
        )

    def _draw_beyond(self, event: Event) -> None:
        """Draw a message that is received only after, or before, what is shown."""
        sent = self._selection.causality.cause(event)
        if sent is None or event.kind == "start" or sent not in self._rows.of or event in self._rows.of:
            return
        if event.life not in self._lane_of:
            return
        rises = event.lamport <= sent.lamport
        start, end = self._at(sent), Point(self._lane_of[event.life], 0, 0.0 if rises else self._to)
        to_hub = event.life.is_hub
        path = (start, end) if rises else self._bent(start, end, to_hub=to_hub)
        told = f"{_message(event)} to {words.safe(event.life.name)} at {event.lamport}, not shown"
        self._out.arrows.append(
            Arrow(
                path,
                event.says.op,
                told,
                self._ids[sent],
                to_hub=to_hub,
                receipt=event.kind == "ack",
                open=True,
                rises=rises,
            )
        )

    def _draw_lost(self, missed: Lost) -> None:
        sent = missed.sent
        if sent not in self._rows.of or (missed.to is not None and missed.to not in self._lane_of):
            return
        start = self._at(sent)
        lanes = self._out.lanes
        if missed.to is None:
            away = lanes[self._hub].x - lanes[start.lane].x
            dx = max(-0.6 * self._out.spacing, min(0.6 * self._out.spacing, away * 0.6))
            end = Point(start.lane, dx, start.y + ROW * 0.6)
            told = f"{missed.op} of {words.safe(sent.life.name)}, sent at {sent.lamport}: received by nobody"
            if missed.refusal is not None:
                says = missed.refusal.says
                told += f", refused with {words.safe(says.status)}: {words.isolated(words.safe(says.reason))}"
        else:
            lane = self._lane_of[missed.to]
            inward = 15.0 if start.lane > lane else -15.0
            end = Point(lane, inward, start.y + ROW * (1.25 if missed.op == "ack" else 0.9))
            what = "receipt" if missed.op == "ack" else sent.says.op
            told = f"{what} sent at {sent.lamport} to {words.safe(missed.to.name)}: it was never received"
        self._out.arrows.append(
            Arrow(
                (start, end),
                sent.says.op,
                told,
                self._ids[sent],
                to_hub=missed.to is None,
                receipt=missed.op == "ack",
                lost=True,
            )
        )

    def _y(self, event: Event) -> float:
        return self._rows.of[event]

    def _at(self, event: Event) -> Point:
        return Point(self._lane_of[event.life], 0, self._y(event))


def _spacing(lanes: int) -> float:
    """Return how far apart lanes are: the more there are, the closer."""
    for most, apart in ((9, 150.0), (15, 120.0), (30, 96.0)):
        if lanes <= most:
            return apart
    return 76.0


def _message(event: Event) -> str:
    return f"receipt of {event.says.op}" if event.kind == "ack" else event.says.op


def _witnesses(breaches: Iterable[Breach]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for number, breach in enumerate(breaches, 1):
        for place in breach.places:
            found[place] = (*found.get(place, ()), number)
    return found
