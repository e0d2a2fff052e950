"""Every field of every line is changed, and every line dropped, doubled and swapped: the checker finds it, or why not.

docs/checking.md has the table of what was found; `pytest --rewrite` makes it anew. `--long` mutates every line of the
runs, and not only some of each kind.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from chitty import journal
from chitty.trace.check import check
from chitty.trace.history import Says
from chitty.trace.verdict import Judgement
from tests.trace.agreements import AGREES, LINE, SURVIVES, why
from tests.trace.systematic import CLOCK, HEAD, Outcome, fields_of, kind_of, outcomes, runs

DOCUMENT = Path(__file__).parents[2] / "docs/checking.md"
TABLES = re.compile(r"(?<=<!-- mutants -->\n).*(?=<!-- /mutants -->)", re.DOTALL)

SOME = 4
"""Lines of each kind that are mutated."""


def test_every_field_of_every_event_has_a_row() -> None:
    assert AGREES.keys() == journal.FIELDS.keys()
    for event, fields in AGREES.items():
        assert set(fields) == set(fields_of(event)), event


def test_the_checker_knows_every_field() -> None:
    written = {field.rstrip("?") for fields in journal.FIELDS.values() for field in fields}
    assert written <= set(Says.__slots__)


def test_the_runs_have_every_kind_of_line_with_every_field(tmp_path: Path) -> None:
    seen = defaultdict(set)
    kinds = set()
    for run in runs(tmp_path):
        for log, items in run.logs.items():
            for index, item in enumerate(items):
                if item.event:
                    seen[item.event] |= item.fields.keys() | set(HEAD)
                    kinds.add(" ".join(kind_of(run, log, index).split()[:3]))
    assert {event: fields - set(CLOCK) - set(HEAD) for event, fields in seen.items()} == {
        event: set(fields_of(event)) - set(CLOCK) - set(HEAD) for event in journal.FIELDS
    }
    for op in ("join", "publish", "leave"):
        missing = {f"{event} {op}" for event in ("send", "receive", "broadcast", "deliver", "refused")} - kinds
        assert not missing
    assert {"receive join again", "receive publish again", "receive leave again", "detect leave again"} <= kinds
    assert {"receive join of", "broadcast join of", "detect leave of"} <= kinds  # a stranger


def test_the_runs_are_valid(tmp_path: Path) -> None:
    for number, run in enumerate(runs(tmp_path / "made")):
        run.write(tmp_path / str(number))
        assert check(tmp_path / str(number)).judgement is Judgement.VALID


def test_every_mutant_is_found_or_has_a_reason_to_survive(
    tmp_path: Path, request: pytest.FixtureRequest, rewrite: bool
) -> None:
    every_line = bool(request.config.getoption("--long"))
    found: dict[str, list[Outcome]] = {}
    for event in journal.FIELDS:
        found[event] = list(outcomes(event, tmp_path / event, 10_000 if every_line else SOME))
        unexplained = {one.mutant.key for one in _survivors(found[event]) if not why(one.mutant.key)}
        assert not unexplained, f"valid though a line was changed: {sorted(unexplained)}"
    everything = [one for those in found.values() for one in those]
    used = {pattern for one in _survivors(everything) for pattern in why(one.mutant.key)[:1]}
    assert not SURVIVES.keys() - used, f"no mutant survives for this reason: {sorted(SURVIVES.keys() - used)}"
    rows = {(event, one.mutant.what) for event, those in found.items() for one in those}
    assert not {(event, field) for event, fields in AGREES.items() for field in fields} - rows, "a field is not changed"
    if every_line:
        return
    told = "\n".join(_tables(found)) + "\n"
    text = DOCUMENT.read_text(encoding="utf-8")
    if rewrite:
        DOCUMENT.write_text(TABLES.sub(lambda _: told, text), encoding="utf-8")
    else:
        match = TABLES.search(text)
        assert match is not None
        assert match[0] == told, "run this test with --rewrite, and read what has changed"


def _survivors(found: Iterable[Outcome]) -> list[Outcome]:
    return [one for one in found if one.judgement is Judgement.VALID]


def _tables(found: dict[str, list[Outcome]]) -> Iterator[str]:
    everything = [one for those in found.values() for one in those]
    count = Counter(one.judgement for one in everything)
    yield (
        f"Of {len(everything):,} mutants {count[Judgement.INVALID]:,} are found, {count[Judgement.UNKNOWN]:,} make the"
        f" verdict *unknown*, because evidence is then missing, and {count[Judgement.VALID]:,} survive."
    )
    yield ""
    yield "| line | field | must agree with | found by | found | unknown | survive |"
    yield "|---|---|---|---|---|---|---|"
    for event, those in found.items():
        for field, agrees in (AGREES[event] | {"line": LINE}).items():
            name = "*the line*" if field == "line" else f"`{field}`"
            yield f"| `{event}` | {name} | {agrees} | {_row([one for one in those if one.mutant.what == field])} |"
    yield ""
    yield "Mutants are named `line: field how`; `*` stands for anything, and `[!d]*` for what does not begin with a d."
    yield ""
    yield "| survives | mutants | why it is no violation |"
    yield "|---|---|---|"
    survived = Counter(pattern for one in _survivors(everything) for pattern in why(one.mutant.key)[:1])
    for pattern, reason in SURVIVES.items():
        if survived[pattern]:
            yield f"| `{pattern}` | {survived[pattern]} | {reason} |"
    yield ""


def _row(those: list[Outcome]) -> str:
    count = Counter(one.judgement for one in those)
    judges = " ".join(_judges(one.properties for one in those if one.properties))
    return f"{judges} | {count[Judgement.INVALID]} | {count[Judgement.UNKNOWN]} | {count[Judgement.VALID]}"


def _judges(found: Iterable[tuple[str, ...]]) -> list[str]:
    """Return few properties by which all of these were found."""
    left, chosen = list(found), []
    while left:
        count = Counter(property_ for properties in left for property_ in properties)
        chosen.append(max(count, key=lambda property_: (count[property_], property_)))
        left = [properties for properties in left if chosen[-1] not in properties]
    return sorted(chosen)
