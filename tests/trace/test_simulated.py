"""Every history of a thousand simulated random correct runs must pass, and show what it set out to show."""

import shutil
from pathlib import Path

import pytest

from chitty.trace import reading
from chitty.trace.causality import Causality
from chitty.trace.check import check
from chitty.trace.history import Event, History
from chitty.trace.verdict import Judgement, Status
from tests.trace.simulating import Run

RUNS = 1000
BATCH = 125


def simulated(seed: int, longest: int = 200) -> Run:
    run = Run(seed)
    for _ in range(run.chance.randint(0, longest)):
        run.go_on()
    if run.chance.random() < 0.5:
        run.settle()
    return run


@pytest.mark.parametrize("first", range(0, RUNS, BATCH))
def test_simulated_correct_runs_are_valid(first: int, tmp_path: Path) -> None:
    exercised = set()
    for seed in range(first, first + BATCH):
        folder = tmp_path / str(seed)
        simulated(seed).write(folder)
        verdict = check(folder)
        assert verdict.judgement is Judgement.VALID, (seed, verdict.violations)
        exercised |= {finding.id for finding in verdict.findings if finding.status is Status.HELD}
        shutil.rmtree(folder)
    assert len(exercised) == 21


def happened_before(history: History, causality: Causality) -> dict[Event, set[Event]]:
    """Return the past of each event, by walking every edge."""
    past: dict[Event, set[Event]] = {}
    for event in causality.order:
        index = event.life.events.index(event)
        parents = [event.life.events[index - 1]] if index else []
        cause = causality.cause(event)
        past[event] = set().union(*(past[one] | {one} for one in [*parents, *([cause] if cause else [])]))
    return past


@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_numbers_tell_what_happened_before_what(seed: int, tmp_path: Path) -> None:
    simulated(seed, 60).write(tmp_path)
    history = reading.read(tmp_path)
    causality = Causality(history)
    past = happened_before(history, causality)
    assert not causality.cycle
    assert set(causality.order) == set(history.events)
    for a in causality.order:
        for b in causality.order:
            assert causality.before(a, b) == (a in past[b])
