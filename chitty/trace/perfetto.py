"""A history as Chrome trace JSON, which ui.perfetto.dev opens: a track a process, an arrow a message.

The format: "Trace Event Format" of the Chromium project; `X` is a slice, `s` and `f` begin and end a flow, and
bind to the slice around them. Times are microseconds; on the Lamport axis a tick is a millisecond.
"""

import json
from typing import Any

from chitty.trace import words
from chitty.trace.axis import Axis, wall_seconds
from chitty.trace.history import Event, Life
from chitty.trace.selection import Selection

_TICK = 1000
_SLICE = 600


def render(selection: Selection, axis: Axis = Axis.LAMPORT) -> str:
    """Return the trace; on the wall axis times count from the first event that is shown."""
    tracks = {life: index for index, life in enumerate(selection.lives, 1)}
    times = _times(selection, axis)
    parts: list[dict[str, Any]] = []
    for life, track in tracks.items():
        parts.append(_named("process_name", track, {"name": words.safe(life.name)}))
        parts.append(_named("process_sort_index", track, {"sort_index": track}))
        parts.append(_named("thread_name", track, {"name": "events"}))
    lengths = _lengths(selection, times)
    ids = {event: index for index, event in enumerate(selection.events, 1)}
    for event in selection.events:
        parts.append(_slice(event, selection, tracks, times[event], lengths[event]))
        sent = selection.causality.cause(event)
        if sent in ids and event.kind != "start":
            assert sent is not None
            flow = {"name": event.says.op, "cat": "message", "id": ids[event], "tid": 1}
            begin, end = times[sent] + lengths[sent] // 2, times[event]
            parts.append({**flow, "ph": "s", "pid": tracks[sent.life], "ts": begin})
            parts.append({**flow, "ph": "f", "bp": "e", "pid": tracks[event.life], "ts": end})
    told = {"axis": axis.value, "shown": list(selection.notes())}
    return json.dumps({"traceEvents": parts, "displayTimeUnit": "ms", "otherData": told}, ensure_ascii=False)


def _named(what: str, track: int, told: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": track, "tid": 1, "args": told}


def _slice(event: Event, selection: Selection, tracks: dict[Life, int], at: int, length: int) -> dict[str, Any]:
    told = words.title(event, selection.causality).split("\n")
    name = f"{event.lamport} {event.kind} {event.says.op}".rstrip()
    return {
        "ph": "X",
        "name": name,
        "cat": event.says.op or "life",
        "pid": tracks[event.life],
        "tid": 1,
        "ts": at,
        "dur": length,
        "args": {"lamport": event.lamport, "n": event.n, "what": told[0], "more": told[1:]},
    }


def _times(selection: Selection, axis: Axis) -> dict[Event, int]:
    """Return when each event is, in microseconds; no two of one track are at the same time."""
    if axis is Axis.ORDER:
        return {event: index * _TICK for index, event in enumerate(selection.events)}
    if axis is Axis.WALL:
        walls = {event: wall_seconds(event) for event in selection.events}
        first = min(walls.values())
        wanted = {event: round((wall - first) * 1_000_000) for event, wall in walls.items()}
    else:
        wanted = {event: event.lamport * _TICK for event in selection.events}
    busy: dict[Life, set[int]] = {life: set() for life in selection.lives}
    times: dict[Event, int] = {}
    for event in sorted(selection.events, key=lambda event: event.n):
        at = wanted[event]
        while at in busy[event.life]:
            at += 1 if axis is Axis.WALL else _SLICE // 2
        busy[event.life].add(at)
        times[event] = at
    return times


def _lengths(selection: Selection, times: dict[Event, int]) -> dict[Event, int]:
    """Return how long each slice is: as long as is good to see, and not into the next one of its track."""
    lengths: dict[Event, int] = {}
    by_life: dict[Life, list[Event]] = {life: [] for life in selection.lives}
    for event in selection.events:
        by_life[event.life].append(event)
    for events in by_life.values():
        events.sort(key=times.__getitem__)
        for event, after in zip(events, [*events[1:], None], strict=True):
            apart = times[after] - times[event] if after is not None else _SLICE
            lengths[event] = max(1, min(_SLICE, apart - 1))
    return lengths
