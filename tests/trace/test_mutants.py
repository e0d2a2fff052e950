"""The checker is tested by its failures: every mutant of a real run must be reported under the right property.

A mutant may break other properties too: one lost delivery is a gap, and a hole in somebody's view of the members.
"""

from collections import Counter
from pathlib import Path

import pytest

from chitty.trace.check import check
from chitty.trace.verdict import Judgement, Status
from tests.trace.mutants import MUTANTS, RUN, Mutant, Run, repeated

PROPERTIES = [finding.id for finding in check(RUN).findings]


def test_the_run_that_is_mutated_is_valid() -> None:
    verdict = check(RUN)
    assert verdict.judgement is Judgement.VALID
    assert [finding.id for finding in verdict.findings if finding.status is Status.NOT_EXERCISED] == ["P14"]


def test_reading_and_writing_a_run_changes_nothing(tmp_path: Path) -> None:
    Run().write(tmp_path)
    for path in RUN.glob("*.log"):
        assert (tmp_path / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_what_a_hub_repeats_truly_is_held(tmp_path: Path) -> None:
    run = Run()
    repeated(run)
    run.write(tmp_path)
    verdict = check(tmp_path)
    assert verdict.judgement is Judgement.VALID
    assert verdict.findings[-1].status is Status.HELD


def test_there_are_mutants_of_every_property() -> None:
    counted = Counter(id_ for id_, _ in MUTANTS)
    assert set(counted) == set(PROPERTIES)
    assert min(counted.values()) >= 2
    assert len(MUTANTS) >= 40


@pytest.mark.parametrize(("id_", "mutant"), MUTANTS, ids=[f"{id_}-{mutant.__name__}" for id_, mutant in MUTANTS])
def test_a_mutant_is_reported_under_its_property(id_: str, mutant: Mutant, tmp_path: Path) -> None:
    run = Run()
    mutant(run)
    run.write(tmp_path)
    verdict = check(tmp_path)
    broken = {finding.id: finding for finding in verdict.findings if finding.status is Status.VIOLATED}
    assert verdict.judgement is Judgement.INVALID
    assert id_ in broken, f"reported under {sorted(broken)} only"
    for violation in broken[id_].violations:
        assert violation.expected
        assert violation.found
        assert violation.places
