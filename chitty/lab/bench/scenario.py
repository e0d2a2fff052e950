"""What every scenario of the bench is given, and how it is run: once a run, systems in turn."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chitty.lab.bench.results import Point, Sample, Where

Key = tuple[str, str, tuple[tuple[str, int | float | str], ...]]


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure.

    Attributes:
        runs: how often each figure is measured.
        seconds: of each measurement.
        quick: whether only to see that everything works: as few participants as will do.
        peers: that are measured beside Chitty-Chat.
    """

    runs: int = 3
    seconds: float = 1.5
    quick: bool = False
    peers: Sequence[str] = ()

    def sizes(self, *sizes: int) -> Sequence[int]:
        """Return numbers of participants, or the one that a quick run has."""
        return (3,) if self.quick else sizes

    def scaled(self, number: int, quick: int) -> int:
        """Return a number of whatever it is, or that of a quick run."""
        return quick if self.quick else number


@dataclass(slots=True)
class Lab:
    """Where a scenario is measured.

    Attributes:
        folder: of its own, for whatever its processes need.
        tell: takes a line for a person, such as what is being measured.
        skipped: why, by what was not measured.
    """

    options: Options
    folder: Path
    tell: Callable[[str], None]
    skipped: dict[str, str] = field(default_factory=dict)

    def place(self, name: str) -> Path:
        """Return a folder that nothing else has."""
        for number in range(1, 10_000):
            found = self.folder / f"{name}-{number}"
            if not found.exists():
                found.mkdir(parents=True)
                return found
        raise AssertionError(name)


@dataclass(slots=True)
class Collected:
    """Samples on their way to points: the samples of a point are measured far apart, others between them."""

    scenario: str
    _found: dict[Key, list[Sample]] = field(default_factory=dict)

    def add(self, system: str, where: Where, sample: Sample) -> None:
        """Add a sample of a system at a place."""
        self._found.setdefault((self.scenario, system, tuple(where.items())), []).append(sample)

    def points(self) -> Iterator[Point]:
        """Yield everything as points, in the order in which they were first measured."""
        for (scenario, system, where), samples in self._found.items():
            yield Point(scenario, system, dict(where), samples)


Scenario = Callable[[Lab], Iterable[Point]]
