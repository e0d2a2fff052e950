"""Scenario `participants`: the real thing. Each is a process that logs what it is delivered; then `check`.

Beside it, how much one such process can do: it is stopped, messages gather, and it goes on.
"""

import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from chitty.core.errors import TimedOut
from chitty.lab.bench import bed, logs, systems, usage
from chitty.lab.bench.one import one_participant
from chitty.lab.bench.results import Point, Sample, Where
from chitty.lab.bench.scenario import Collected, Lab
from chitty.lab.bench.stacks import Commanded, names
from chitty.lab.bench.systems import CHITTY
from chitty.lab.bench.usage import Meter
from chitty.load.bots import START

NAME = "participants"
SIZES = (3, 30, 100)
PUBLISHERS, OUTSTANDING = 10, 8
BACKLOG = 40_000
"""Messages that a process has to catch up with, so that it has no time to wait."""

_WARM_UP = 1.0  # seconds
_COOL_DOWN = 0.5
_CATCH_UP = 60.0
_TALKER = {"run": "chitty.load.bots:talker", "rate": 1.0}


def measure(lab: Lab) -> Iterable[Point]:
    """Measure stacks of all sizes, and one process."""
    collected = Collected(NAME)
    for size in lab.options.sizes(*SIZES):
        _stack(lab, size, collected)
    for run in range(1, lab.options.runs + 1):
        lab.tell(f"run {run}: one process catches up")
        collected.add(CHITTY, {"processes": 1}, _one(lab))
    return collected.points()


def _stack(lab: Lab, size: int, collected: Collected) -> None:
    where: Where = {"participants": size, "publishers": min(PUBLISHERS, size), "outstanding": OUTSTANDING}
    lab.tell(f"{size} participants start")
    with Commanded(lab.place(NAME), _TALKER) as stack:
        stack.up(names(size))
        written = [stack.layout.log(name) for name in names(size)]
        for run in range(1, lab.options.runs + 1):
            lab.tell(f"run {run}: {size} processes, {where['publishers']} of them speak")
            collected.add(CHITTY, where, _talk(stack, where, written, lab.options.seconds))
        stack.run("down")
        count = logs.lines(stack.layout.logs.glob("*.log"))
        for run in range(1, lab.options.runs + 1):
            lab.tell(f"run {run}: check of {count:,} lines")
            checked = stack.run("check", "--json")
            told = {"lines": float(count), "seconds": checked.seconds, "per_second": count / checked.seconds}
            collected.add("check", {"participants": size}, Sample(told))


def _talk(stack: Commanded, where: Where, written: Sequence[Path], seconds: float) -> Sample:
    server, participants = stack.pids()
    stack.run("say", "p1", f"{START}{seconds + _WARM_UP + _COOL_DOWN} {where['publishers']} {where['outstanding']}")
    time.sleep(_WARM_UP)
    serving, taking = Meter([server]), Meter(participants)
    begin = time.time()
    time.sleep(seconds)
    end = time.time()
    by_server, by_participants = serving.read(), taking.read()
    _quieten(written)
    count, latencies = logs.deliveries(written, begin, end)
    delivered = count / (end - begin)
    values = {
        "delivered": delivered,
        "published": delivered / len(written),
        "p50": latencies.quantile(0.5),
        "p99": latencies.quantile(0.99),
        "server": by_server.cores,
        "participants": by_participants.cores,
    }
    if delivered:
        values["cpu_per_delivery"] = 1e6 * by_participants.cores / delivered
    return Sample(values, usage.judge(by_server, [by_participants]))


def _quieten(written: Sequence[Path]) -> None:
    """Wait until nothing is written any more."""
    before, deadline = -1, time.monotonic() + _CATCH_UP
    while (size := sum(path.stat().st_size for path in written)) != before:
        if time.monotonic() > deadline:
            raise TimedOut(f"participants still log after {_CATCH_UP:g} s")
        before = size
        time.sleep(_COOL_DOWN)


def _one(lab: Lab) -> Sample:
    backlog = lab.options.scaled(BACKLOG, 300)
    folder = lab.place(f"{NAME}-one")
    with (
        bed.made(CHITTY, folder / "server", 1, 1, **systems.MEMORY) as loading,
        one_participant(folder, loading.system.address) as child,
    ):
        child.await_text(" deliver ")
        child.signal(signal.SIGSTOP)
        sequence = loading.publish(backlog)
        before, began = usage.seconds_of(child.pid), time.monotonic()
        child.signal(signal.SIGCONT)
        _catch_up(child.log, sequence)
        seconds, used = time.monotonic() - began, usage.seconds_of(child.pid) - before
    return Sample({"delivered": backlog / seconds, "per_core": backlog / max(used, 0.01), "cores": used / seconds})


def _catch_up(log: Path, sequence: int) -> None:
    """Wait until the last line tells of that delivery."""
    wanted, deadline = f" seq={sequence} ".encode(), time.monotonic() + _CATCH_UP
    with log.open("rb") as reading:
        while True:
            reading.seek(max(0, log.stat().st_size - 1024))
            if wanted in reading.read():
                return
            if time.monotonic() > deadline:
                raise TimedOut(f"a participant did not catch up within {_CATCH_UP:g} s")
            time.sleep(0.005)
