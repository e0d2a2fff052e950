"""Scenario `durable`: what it costs to keep the order, in memory or in SQLite, and what a disk's fsync takes."""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chitty.lab.bench import bed
from chitty.lab.bench.results import Point, Sample, Where
from chitty.lab.bench.scenario import Collected, Lab
from chitty.lab.bench.systems import CHITTY
from chitty.load.histogram import Histogram

NAME = "durable"
PARTICIPANTS, PUBLISHERS = 100, 10
OUTSTANDING = (8, 256)

KEPT: dict[str, dict[str, Any]] = {
    "memory": {"sequencer": "memory"},
    "sqlite normal": {"sequencer": "sqlite", "database": {"synchronous": "normal"}},
    "sqlite full": {"sequencer": "sqlite", "database": {"synchronous": "full"}},
}

_BLOCK = 4096
_SYNCS = 200


def measure(lab: Lab) -> Iterable[Point]:
    """Measure the same load on each way to keep the order."""
    collected = Collected(NAME)
    participants = lab.options.scaled(PARTICIPANTS, 3)
    publishers = min(PUBLISHERS, participants)
    with contextlib.ExitStack() as stack:
        beds = {}
        for kept, changes in KEPT.items():
            lab.tell(f"{participants} participants join, {kept}")
            folder = lab.place(f"{NAME}-{kept.replace(' ', '-')}")
            beds[kept] = stack.enter_context(bed.made(CHITTY, folder, participants, publishers, **changes))
        for run in range(1, lab.options.runs + 1):
            collected.add("disk", {}, fsync(lab.folder))
            for outstanding in OUTSTANDING:
                for kept, on in beds.items():
                    lab.tell(f"run {run}: {kept}, {outstanding} outstanding")
                    where: Where = {
                        "participants": participants,
                        "publishers": publishers,
                        "outstanding": outstanding,
                        "kept": kept,
                    }
                    sample = on.load(lab.options.seconds, publishers=publishers, outstanding=outstanding)
                    collected.add(CHITTY, where, sample)
    return collected.points()


def fsync(folder: Path) -> Sample:
    """Measure how long the disk of a folder takes to have a block for good, in milliseconds."""
    latencies = Histogram()
    path = folder / "fsync"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(_SYNCS):
            began = time.monotonic_ns()
            os.write(descriptor, b"." * _BLOCK)
            os.fdatasync(descriptor)
            latencies.add(time.monotonic_ns() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return Sample({"p50": latencies.quantile(0.5), "p99": latencies.quantile(0.99), "max": latencies.quantile(1.0)})
