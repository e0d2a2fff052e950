"""What Chitty-Chat must reach: a floor and an aim for figures of a run, most of them ratios within it. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chitty.lab.bench import results
from chitty.lab.bench.results import Figure, Point, Run, Where, ratio

VOID = "void"
"""A comparison whose load generator was the limit says nothing about what was loaded."""

Measure = Callable[[Run], Figure | None]


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of what must be reached.

    Attributes:
        unit: of floor, aim and figure, with a blank before it where one belongs; `x` for a ratio.
        smaller: whether smaller is better.
        compared: what must not have been limited by its load generator.
    """

    what: str
    unit: str
    floor: float
    aim: float
    measure: Measure
    smaller: bool = False
    compared: Callable[[Run], Iterator[Point]] = lambda _: iter(())


@dataclass(frozen=True, slots=True)
class Reached:
    """A goal, and what a run found: `aim`, `floor`, `missed`, `void`, or nothing where it was not measured."""

    goal: Goal
    figure: Figure | None
    verdict: str


def judge(run: Run) -> list[Reached]:
    """Hold a run against every goal, by the medians."""
    return [_judged(goal, run) for goal in GOALS]


def _judged(goal: Goal, run: Run) -> Reached:
    figure = goal.measure(run)
    if figure is None:
        return Reached(goal, None, "")
    if any(point.limit == "generator" for point in goal.compared(run)):
        return Reached(goal, figure, VOID)
    for verdict, bound in (("aim", goal.aim), ("floor", goal.floor)):
        if figure.median <= bound if goal.smaller else figure.median >= bound:
            return Reached(goal, figure, verdict)
    return Reached(goal, figure, "missed")


def _fanout(peer: str, shape: Where) -> Measure:
    return lambda run: ratio(run.one("fanout", **shape), run.one("fanout", peer, **shape), "delivered")


def _against_naive(participants: int, publishers: int, outstanding: int, floor: float, aim: float) -> Goal:
    shape = results.shape(participants, publishers, outstanding, "protobuf")
    what = (
        f"deliveries/s, {participants} participants, {publishers} publishers, {outstanding} outstanding, against naive"
    )
    return Goal(what, "x", floor, aim, _fanout("naive", shape))


def _latency(run: Run) -> Figure | None:
    where: Where = {"participants": 100, "rate": 100}
    return ratio(run.one("latency", **where), run.one("latency", "naive", **where), "p50")


def _durable(run: Run) -> Figure | None:
    full, memory = (run.one("durable", outstanding=256, kept=kept) for kept in ("sqlite full", "memory"))
    return ratio(full, memory, "delivered")


def _of(key: str, scale: float, scenario: str, system: str, **where: float | str) -> Measure:
    def measure(run: Run) -> Figure | None:
        point = run.one(scenario, system, **where)
        if point is None or not point.has(key):
            return None
        return Figure.of([value * scale for value in point.values(key)])

    return measure


_NATS = results.shape(100, 1, 64, "bytes")

GOALS = (
    _against_naive(100, 10, 256, 20, 50),
    _against_naive(30, 10, 8, 8, 15),
    _against_naive(100, 10, 8, 15, 35),
    _against_naive(1000, 10, 8, 15, 40),
    _against_naive(3, 3, 8, 1.5, 3),
    Goal(
        "deliveries/s, 100 participants, 1 publisher, 64 outstanding, against NATS core, both decoded to bytes only",
        "x",
        0.3,
        1,
        _fanout("nats", _NATS),
        compared=lambda run: run.of("fanout", **_NATS),
    ),
    Goal(
        "p50 from publish to delivery, 100 participants, 100 messages/s, against naive",
        "x",
        1,
        0.5,
        _latency,
        smaller=True,
    ),
    Goal("SQLite FULL against memory, deliveries/s, 256 outstanding", "x", 0.7, 0.9, _durable),
    Goal(
        "deliveries/s of one core in a participant's process, with its log",
        "",
        60_000,
        150_000,
        _of("per_core", 1, "participants", "chitty", processes=1),
    ),
    Goal(
        "memory of the server for an idle participant, of 1000",
        " KB",
        60,
        45,
        _of("server_memory", 1e-3, "join", "wire", participants=1000),
        smaller=True,
    ),
    Goal(
        "`chitty up --clients 100`, until all have joined",
        " s",
        6,
        2,
        _of("seconds", 1, "join", "up", participants=100),
        smaller=True,
    ),
    Goal(
        "memory (PSS) of a participant's process, of 100",
        " MB",
        16,
        6,
        _of("participant_memory", 1e-6, "join", "up", participants=100),
        smaller=True,
    ),
    *(
        Goal(
            f"`chitty {command}` as a whole, on 100 participants",
            " ms",
            300,
            150,
            _of(command, 1e3, "join", "up", participants=100),
            smaller=True,
        )
        for command in ("status", "say", "leave")
    ),
    Goal(
        "`chitty check`, lines/s, the start of its process included",
        "",
        100_000,
        200_000,
        _of("per_second", 1, "participants", "check", participants=100),
    ),
)
