"""What a run of the bench found: points, each measured several times, and their form as JSON.

Pure: knows no measurement, and no page that is made of it.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from chitty.core.errors import SettingsError

FORMAT = 1
"""Version of the JSON."""

Where = dict[str, int | float | str]
"""What a point was measured at, such as `{"participants": 100, "publishers": 10, "outstanding": 8}`."""


def shape(participants: int, publishers: int, outstanding: int, decoding: str) -> Where:
    """Return what a fan-out is measured at."""
    return {
        "participants": participants,
        "publishers": publishers,
        "outstanding": outstanding,
        "decoding": decoding,
    }


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over the runs: its median, the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Figure":
        """Return the figure of some values, at least one."""
        return cls(statistics.median(values), min(values), max(values))


class Sample(msgspec.Struct, frozen=True):
    """One measurement: figures by name, and which side was the limit: see `limits`."""

    values: dict[str, float]
    limit: str = ""


class Point(msgspec.Struct, frozen=True):
    """One thing that was measured, once a run.

    Attributes:
        scenario: that it belongs to.
        system: `chitty`, or a peer.
    """

    scenario: str
    system: str
    where: Where
    samples: list[Sample] = []

    def has(self, key: str) -> bool:
        """Tell whether it has a figure of that name."""
        return any(key in sample.values for sample in self.samples)

    def values(self, key: str) -> list[float]:
        """Return a figure's value in each run."""
        return [sample.values[key] for sample in self.samples if key in sample.values]

    def figure(self, key: str) -> Figure:
        """Return a figure over the runs."""
        return Figure.of(self.values(key))

    @property
    def limit(self) -> str:
        """What was the limit in most of the runs, empty where it was not asked."""
        told = [sample.limit for sample in self.samples if sample.limit]
        return statistics.mode(told) if told else ""


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured, and what of."""

    processor: str
    cores: int
    memory: str
    system: str
    versions: dict[str, str]


class Run(msgspec.Struct):
    """Everything that one run of the bench found.

    Attributes:
        began: in UTC, ISO 8601.
        options: that it was run with.
        took: seconds, by scenario that has been measured.
        skipped: why, by what was not measured.
    """

    machine: Machine
    began: str
    options: Where
    took: dict[str, float] = {}
    skipped: dict[str, str] = {}
    points: list[Point] = []
    format: int = FORMAT

    def of(self, scenario: str, system: str = "", /, **where: float | str) -> Iterator[Point]:
        """Yield the points of a scenario that were measured at `where`, whatever else they were measured at."""
        for point in self.points:
            if point.scenario == scenario and system in {"", point.system} and where.items() <= point.where.items():
                yield point

    def one(self, scenario: str, system: str = "chitty", /, **where: float | str) -> Point | None:
        """Return the first such point, if any."""
        return next(self.of(scenario, system, **where), None)


def ratio(above: Point | None, below: Point | None, key: str) -> Figure | None:
    """Return how often a figure of one point is another's, run by run; None where either was not measured.

    Runs are compared with those beside them in time, so that a machine that is slower for a while is
    slower for both.
    """
    if above is None or below is None:
        return None
    pairs = list(zip(above.values(key), below.values(key), strict=False))
    found = [one / other for one, other in pairs if other]
    return Figure.of(found) if found else None


def encode(run: Run) -> bytes:
    """Return a run as JSON that a person can read and a diff can compare."""
    told: Any = msgspec.to_builtins(run)
    for point in told["points"]:
        for sample in point["samples"]:
            sample["values"] = {key: float(f"{value:.6g}") for key, value in sample["values"].items()}
    lines = [msgspec.json.encode(point).decode() for point in told.pop("points")]
    head = msgspec.json.format(msgspec.json.encode(told), indent=1).decode()
    return (head[:-2] + ',\n "points": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n").encode()


def decode(data: bytes, source: str) -> Run:
    """Read a run back.

    Raises:
        SettingsError: it is none, or of another version of the bench.
    """
    try:
        run = msgspec.json.decode(data, type=Run)
    except msgspec.DecodeError as error:
        raise SettingsError(f"{source} is not a run of the bench: {error}") from None
    if run.format != FORMAT:
        raise SettingsError(f"{source} has format {run.format}, not {FORMAT}: measure anew")
    return run
