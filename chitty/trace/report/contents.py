"""What a report says, as plain data: gathered from history, causality, verdict, descriptor and sources. Pure.

Everything that comes from a run is data here, and stays data: the template never reads it as markup.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from chitty import resources
from chitty.core import lamport
from chitty.core.names import MAX_TEXT
from chitty.trace import svg
from chitty.trace.axis import Axis
from chitty.trace.causality import Causality
from chitty.trace.history import Event, History, Process
from chitty.trace.layout import lay_out
from chitty.trace.report import interface, requirements, sequence
from chitty.trace.report.logs import Log, lines
from chitty.trace.report.sequence import Excerpt
from chitty.trace.selection import Selection
from chitty.trace.verdict import Verdict

_SHOWN_VIOLATIONS = 12
_NAMES = "January February March April May June July August September October November December"
_MONTHS = {f"{number:02}": name for number, name in enumerate(_NAMES.split(), 1)}


@dataclass(frozen=True, slots=True)
class Cover:
    """What the caller says about a report, and no log can."""

    title: str = "Chitty-Chat"
    authors: tuple[str, ...] = ()
    repo: str = ""


def gather(cover: Cover, history: History, causality: Causality, verdict: Verdict, logs: list[Log]) -> dict[str, Any]:
    """Return all that the template asks for; `diagram` is an SVG document or empty, all else lists, dicts and texts."""
    excerpt = sequence.excerpt(history, causality)
    proto = resources.path("proto/chitty.proto").read_text(encoding="utf-8")
    said = interface.remarks(proto)
    return {
        "cover": asdict(cover),
        "run": _run(history, causality, logs),
        "methods": [asdict(method) for method in interface.methods(said)],
        "messages": [asdict(message) for message in interface.messages(said)],
        "proto": proto.splitlines(),
        "clock": _source(lamport.__file__),
        "limit": MAX_TEXT,
        "trace": _trace(excerpt) if excerpt is not None else None,
        "diagram": _diagram(excerpt, history, causality) if excerpt is not None else "",
        "verdict": _verdict(verdict),
        "requirements": _requirements(history, causality, lines(logs)),
        "logs": [asdict(log) for log in logs],
    }


def _source(path: str) -> list[str]:
    """Return the class of a module, as it is written."""
    text = Path(path).read_text(encoding="utf-8")
    return text[text.index("class ") :].splitlines()


def _run(history: History, causality: Causality, logs: list[Log]) -> dict[str, Any]:
    walls = sorted(event.wall for event in causality.order)
    start = next((life.start for life in history.hubs if life.start is not None), None)
    return {
        "day": _day(walls[0]),
        "began": walls[0],
        "ended": walls[-1],
        "version": start.says.version if start is not None else "",
        "events": len(causality.order),
        "lines": sum(len(file.lines) for log in logs for file in log.files),
        "processes": [_process(process) for process in history.processes],
    }


def _day(wall: str) -> str:
    """Return the day of a wall time in English, whatever the language of the machine."""
    year, month, day = wall[:10].split("-")
    return f"{int(day)} {_MONTHS.get(month, month)} {year}"


def _process(process: Process) -> dict[str, Any]:
    lives = [
        {
            "pid": life.start.says.pid if life.start is not None else None,
            "fate": str(life.fate),
            "reason": life.end.says.reason if life.end is not None else "",
            "events": len(life.events),
            "lamport": life.events[-1].lamport if life.events else 0,
        }
        for life in process.lives
    ]
    return {"name": process.name, "log": process.log.name, "hub": process.is_hub, "lives": lives}


def _trace(excerpt: Excerpt) -> dict[str, Any]:
    return {
        "name": excerpt.name,
        "calls": [
            {
                "op": call.op,
                "reason": call.broadcast.says.reason,
                "lamport": call.broadcast.lamport,
                "text": call.broadcast.says.text,
                "steps": [_step(event) for event in excerpt.events if event in call.events],
            }
            for call in excerpt.calls
        ],
        "between": [after.lamport - before.lamport - 1 for before, after in pairwise(excerpt.events)],
        "hidden": excerpt.hidden,
        "lives": [life.name for life in excerpt.lives if not life.is_hub],
    }


def _step(event: Event) -> dict[str, Any]:
    return {
        "process": event.life.name,
        "kind": event.kind,
        "previous": sequence.previous(event),
        "stamped": event.says.stamped if event.kind in {"receive", "deliver", "ack"} else None,
        "lamport": event.lamport,
        "place": event.place,
    }


def _diagram(excerpt: Excerpt, history: History, causality: Causality) -> str:
    """Return the excerpt as drawn by `chitty diagram`, without what is not of it."""
    times = [event.lamport for event in excerpt.events]
    delivered = [event.life for event in causality.order if event.kind == "deliver"]
    inside = [life for life in dict.fromkeys([*delivered, *history.lives]) if life in excerpt.lives]
    lives = sorted(inside, key=lambda life: not life.is_hub)
    shown = frozenset(excerpt.events)
    selection = Selection(history, causality, lives, excerpt.events, 0, 0, (min(times), max(times)), shown)
    return svg.render(lay_out(selection, Axis.LAMPORT))


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "judgement": str(verdict.judgement),
        "census": asdict(verdict.census),
        "findings": [
            {
                "id": finding.id,
                "name": finding.name,
                "sentence": finding.sentence,
                "status": str(finding.status),
                "cases": finding.cases,
                "broken": finding.broken,
                "missing": list(finding.missing),
            }
            for finding in verdict.findings
        ],
        "violations": [
            {
                "property": violation.property,
                "places": list(violation.places),
                "expected": violation.expected,
                "found": violation.found,
            }
            for violation in verdict.violations[:_SHOWN_VIOLATIONS]
        ],
        "more": max(0, sum(finding.broken for finding in verdict.findings) - _SHOWN_VIOLATIONS),
    }


def _requirements(history: History, causality: Causality, written: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "text": one.text,
            "shown": one.shown,
            "told": one.told,
            "lines": [{"place": place, "line": written[place]} for place in one.places],
        }
        for one in requirements.examine(history, causality)
    ]
