"""The mechanism that all tests wait with, and that they do."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import waiting
from tests.waiting import eventually, eventually_async

TESTS = Path(__file__).parent

SETTINGS = {"Keepalive", "Supervisor"}
"""Calls whose `timeout` is what is tested, not how long a test waits."""

SOON = 0.1
"""Seconds. A bound that is not over this is meant to run out."""


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that goes on by a second whenever it is read."""
    now = [0.0]

    def tick() -> float:
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr(waiting.time, "monotonic", tick)
    monkeypatch.setattr(waiting, "_PAUSE", 0.0)
    return now


def test_waiting_ends_as_soon_as_the_condition_is_true(clock):
    answers = iter(["", "", "there"])
    assert eventually(lambda: next(answers)) == "there"


def test_waiting_without_progress_fails_and_says_what_it_saw(clock):
    with pytest.raises(AssertionError, match=r"no progress, for 120 s: .* returned \[\] last, progress 3"):
        eventually(list, progress=lambda: 3)
    assert waiting.PATIENCE < clock[0] < 2 * waiting.PATIENCE


def test_waiting_is_extended_by_progress(clock):
    eventually(lambda: clock[0] > 5 * waiting.PATIENCE, progress=lambda: clock[0] // 100)


def test_a_bound_makes_waiting_longer_and_never_shorter(clock):
    for within, least in ((1.0, waiting.PATIENCE), (500.0, 500.0)):
        begun = clock[0]
        with pytest.raises(AssertionError):
            eventually(list, within)
        assert clock[0] - begun > least


async def test_waiting_in_an_event_loop_is_the_same(clock):
    with pytest.raises(AssertionError, match="no progress"):
        await eventually_async(list)


def bounds(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each bound in seconds too short for a busy machine, be it a constant or not."""
    constants = dict(_constants(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and "monotonic()" in ast.unparse(node.left):
            if isinstance(node.op, ast.Add) and SOON < _seconds(node.right, constants) < waiting.PATIENCE:
                yield node.lineno, ast.unparse(node)
            continue
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [keyword.value for keyword in node.keywords if keyword.arg in {"timeout", "within"}]
        given += {"wait": node.args[:1], "timeout": node.args[:1]}.get(name, [])
        given += node.args[1:] if name in {"wait_for", "eventually", "eventually_async"} else []
        if name not in SETTINGS and any(SOON < _seconds(one, constants) < waiting.PATIENCE for one in given):
            yield node.lineno, ast.unparse(node)


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that the module gives to expressions."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        for target in node.targets if isinstance(node, ast.Assign) else []:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                named = zip(target.elts, node.value.elts, strict=False)
                yield from ((one.id, value) for one, value in named if isinstance(one, ast.Name))


def _seconds(node: ast.expr, constants: dict[str, ast.expr]) -> float:
    if isinstance(node, ast.Name):
        node = constants.get(node.id, node)
    value = node.value if isinstance(node, ast.Constant) else None
    return float(value) if isinstance(value, int | float) else 0.0


@pytest.mark.parametrize(
    "test",
    [
        "one.wait(30)",
        "ENDS = 60.0\none.wait(ENDS)",
        "ENDS: float = 60.0\none.communicate(timeout=ENDS)",
        "SIZE, ENDS = 8, 60.0\neventually(done, ENDS)",
        "deadline = time.monotonic() + 30",
        "ENDS = 30\ndef test():\n    deadline = monotonic() + ENDS",
    ],
)
def test_a_bound_in_seconds_is_found(test):
    assert list(bounds(ast.parse(test)))


@pytest.mark.parametrize(
    "test",
    [
        "one.wait(PATIENCE)",
        "one.wait(0.1)",
        "deadline = time.monotonic() + PATIENCE",
        "write(time.time() + 3600)",
        "one.wait(600)",
    ],
)
def test_what_is_no_bound_in_seconds_is_not_found(test):
    assert not list(bounds(ast.parse(test)))


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_brings_a_short_bound_in_seconds_along(path):
    found = [f"line {line}: {text}" for line, text in bounds(ast.parse(path.read_text(encoding="utf-8")))]
    assert not found, f"wait with `eventually` or PATIENCE of tests/waiting.py instead: {found}"
