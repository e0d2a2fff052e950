"""Scenario `latency`: how late deliveries are at a given rate of messages."""

import contextlib
from collections.abc import Iterable

from chitty.lab.bench import bed, systems
from chitty.lab.bench.results import Point
from chitty.lab.bench.scenario import Collected, Lab
from chitty.lab.bench.systems import CHITTY, NAIVE

NAME = "latency"
SIZES = (3, 100, 1000)
RATES = (1, 10, 100)

_MOST_NAIVE = 100  # a thousand joins of the naive server take half a minute
_FEWEST = 3  # messages that a measurement needs


def measure(lab: Lab) -> Iterable[Point]:
    """Measure all rates, one publisher speaking."""
    collected = Collected(NAME)
    for participants in lab.options.sizes(*SIZES):
        peers = [name for name in lab.options.peers if name != NAIVE or participants <= _MOST_NAIVE]
        with contextlib.ExitStack() as stack:
            beds = {}
            for name in (CHITTY, *peers):
                lab.tell(f"{participants} participants join {name}")
                changes = systems.MEMORY if name == CHITTY else {}
                folder = lab.place(f"{NAME}-{name}")
                beds[name] = stack.enter_context(bed.made(name, folder, participants, 1, **changes))
            for run in range(1, lab.options.runs + 1):
                for rate in (10,) if lab.options.quick else RATES:
                    for name, on in beds.items():
                        lab.tell(f"run {run}: {name}, {participants} participants, {rate} messages a second")
                        seconds = max(lab.options.seconds, _FEWEST / rate)
                        sample = on.load(seconds, publishers=1, rate=rate)
                        collected.add(name, {"participants": participants, "rate": rate}, sample)
    return collected.points()
