"""Small broken histories, one for each property: a check never seen to fail proves nothing."""

from pathlib import Path

import pytest

from chitty.trace.check import check
from chitty.trace.verdict import Judgement, Status

HISTORIES = Path(__file__).parent.parent / "histories"
PROPERTIES = [finding.id for finding in check(HISTORIES / "valid").findings]


def test_the_history_that_is_not_broken_is_valid() -> None:
    assert check(HISTORIES / "valid").judgement is Judgement.VALID


@pytest.mark.parametrize("id_", PROPERTIES)
def test_a_broken_history_is_reported_under_its_property(id_: str) -> None:
    verdict = check(HISTORIES / id_)
    finding = next(finding for finding in verdict.findings if finding.id == id_)
    assert verdict.judgement is Judgement.INVALID
    assert finding.status is Status.VIOLATED
    for violation in finding.violations:
        for event, place in zip(violation.witnesses, violation.places, strict=True):
            name, _, number = place.rpartition(":")
            line = (HISTORIES / id_ / name).read_text(encoding="utf-8").split("\n")[int(number) - 1]
            assert f" {event.kind} lamport={event.lamport} n={event.n} " in line
