"""A verdict for people and for programs: one line a property, and under a broken one its witnesses.

Everything that comes from logs is escaped before it reaches a terminal.
"""

import json
from collections.abc import Iterator

from chitty.journal import escape
from chitty.terminal import columns, pad
from chitty.trace.verdict import Finding, Judgement, Status, Verdict, Violation

_GREEN, _RED, _YELLOW, _QUIET, _BOLD = "32", "31", "33", "2", "1"
_STYLES = {
    Status.HELD: _GREEN,
    Status.VIOLATED: f"{_BOLD};{_RED}",
    Status.NOT_EXERCISED: _QUIET,
    Status.UNKNOWN: _YELLOW,
}
_MARKS = {Status.HELD: "✓", Status.VIOLATED: "✗", Status.NOT_EXERCISED: "·", Status.UNKNOWN: "?"}
_SHOWN = 3
_NAME_WIDTH = 52


def as_text(verdict: Verdict, *, colour: bool = False) -> str:
    """Return a verdict as a person reads it."""
    lines = [line for finding in verdict.findings for line in _finding(finding, colour=colour)]
    return "\n".join([*lines, "", _summary(verdict, colour=colour)])


def as_json(verdict: Verdict) -> str:
    """Return a verdict as one JSON object."""
    census = verdict.census
    return json.dumps(
        {
            "verdict": verdict.judgement,
            "lines": census.lines,
            "events": census.events,
            "processes": census.processes,
            "headless": census.headless,
            "strangers": census.strangers,
            "unobserved": census.unobserved,
            "properties": [_object(finding) for finding in verdict.findings],
        },
        indent=2,
    )


def breach(violation: Violation, name: str, *, colour: bool = False) -> str:
    """Return one violation in one line, as it is told at once while a stack runs."""
    where = " ".join(violation.places)
    head = _paint(f"✗ {violation.property} {name}", _STYLES[Status.VIOLATED], colour=colour)
    return f"{head}: {where}: expected {escape(violation.expected)}, found {escape(violation.found)}"


def _finding(finding: Finding, *, colour: bool) -> Iterator[str]:
    style = _STYLES[finding.status]
    mark = _paint(f"{_MARKS[finding.status]} {finding.id:<3}", style, colour=colour)
    status = _paint(f"{finding.status:<13}", style, colour=colour)
    cases = _paint(_count(finding), _QUIET, colour=colour)
    yield f"{mark} {finding.name:<{_NAME_WIDTH}} {status} {cases}".rstrip()
    for violation in finding.violations[:_SHOWN]:
        yield from _violation(violation)
    if finding.broken > _SHOWN:
        yield f"      and {finding.broken - _SHOWN:,} more"
    for why in list(finding.missing)[:_SHOWN]:
        yield f"      {escape(why)}"


def _count(finding: Finding) -> str:
    if finding.status is Status.VIOLATED:
        return f"{finding.broken:,} of {finding.cases:,}"
    return f"{finding.cases:,}" if finding.cases else ""


def _violation(violation: Violation) -> Iterator[str]:
    width = max(map(columns, violation.places), default=0)
    for event, place in zip(violation.witnesses, violation.places, strict=True):
        yield f"      {pad(place, width)}  {event.process} {event.kind} lamport={event.lamport} n={event.n}"
    yield f"      expected {escape(violation.expected)}"
    yield f"      found    {escape(violation.found)}"


def _summary(verdict: Verdict, *, colour: bool) -> str:
    census = verdict.census
    style = {Judgement.VALID: _GREEN, Judgement.INVALID: _RED, Judgement.UNKNOWN: _YELLOW}[verdict.judgement]
    said = [f"{_number(census.events, 'event')} of {_number(census.processes, 'process', 'processes')}"]
    said += [f"{_number(census.lines, 'line')}"]
    if census.unobserved:
        said.append(f"{_number(census.unobserved, 'participant')} without a log, judged on the hub's side only")
    if census.headless:
        said.append(f"{_number(census.headless, 'line')} without a head, not believed")
    if census.strangers:
        said.append(f"{_number(census.strangers, 'event')} in another's log, not believed")
    return f"{_paint(verdict.judgement, f'{_BOLD};{style}', colour=colour)}: {', '.join(said)}"


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _object(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "name": finding.name,
        "sentence": finding.sentence,
        "status": finding.status,
        "cases": finding.cases,
        "broken": finding.broken,
        "missing": list(finding.missing),
        "violations": [
            {"witnesses": list(violation.places), "expected": violation.expected, "found": violation.found}
            for violation in finding.violations
        ],
    }


def _paint(text: str, style: str, *, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour else text
