"""Scenario `recover`: from the kill of the server, with SIGKILL, to the first delivery after it."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from chitty.core.errors import TimedOut
from chitty.lab.bench import bed, logs, systems
from chitty.lab.bench.one import one_participant
from chitty.lab.bench.results import Point, Sample
from chitty.lab.bench.scenario import Collected, Lab
from chitty.lab.bench.stacks import Commanded, names
from chitty.lab.bench.systems import CHITTY
from chitty.stack import faults
from chitty.stack.control import Stack

NAME = "recover"
SIZES = (10, 100)
EVENTS = 1_000_000

_SQLITE: dict[str, Any] = {"sequencer": "sqlite"}
_ALL = 50.0  # messages a second of all bots together, so that there is something to deliver
_LONGEST = 60.0
_LOOK = 0.1  # between two looks at the logs, which say themselves when it was


def measure(lab: Lab) -> Iterable[Point]:
    """Measure stacks, and a server with a long log."""
    collected = Collected(NAME)
    for size in lab.options.sizes(*SIZES):
        _stack(lab, size, collected)
    _long_log(lab, lab.options.scaled(EVENTS, 2_000), collected)
    return collected.points()


def _stack(lab: Lab, size: int, collected: Collected) -> None:
    lab.tell(f"{size} participants start")
    with Commanded(lab.place(NAME), {"rate": _ALL / size}) as commanded:
        commanded.up(names(size))
        stack = Stack(commanded.layout)
        written = [commanded.layout.log(name) for name in names(size)]
        for run in range(1, lab.options.runs + 1):
            lab.tell(f"run {run}: the server is killed, {size} participants")
            killed = time.time()
            faults.kill(stack, "server", signal.SIGKILL)
            collected.add(CHITTY, {"participants": size}, _recovery(killed, commanded.layout.log("server"), written))


def _long_log(lab: Lab, events: int, collected: Collected) -> None:
    """Measure a server whose log has many events, started anew at once: nobody but it takes time."""
    folder = lab.place(f"{NAME}-long")
    with bed.made(CHITTY, folder, 1, 1, **_SQLITE) as loaded:
        lab.tell(f"{events:,} events are published")
        loaded.publish(events)
        address = loaded.system.address
    port = int(address.rpartition(":")[2])
    server = systems.start(CHITTY, folder, port=port, **_SQLITE).child
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: server.end())  # noqa: PLW0108 - whichever is the server then
        speaking = stack.enter_context(one_participant(folder, address, rate=_ALL))
        speaking.await_text(" op=publish ")
        for run in range(1, lab.options.runs + 1):
            lab.tell(f"run {run}: the server with {events:,} events is killed")
            killed = time.time()
            server.signal(signal.SIGKILL)
            server.process.wait()
            server = systems.start(CHITTY, folder, port=port, **_SQLITE).child
            collected.add(CHITTY, {"events": events}, _recovery(killed, server.log, [speaking.log]))


def _recovery(killed: float, server: Path, participants: Sequence[Path]) -> Sample:
    """Return how long after a moment the server served, somebody was delivered something, and everybody was."""
    served = _wait(lambda: [began for began in logs.starts(server) if began > killed])[0]
    first = _wait(lambda: _whole(logs.first_delivery(participants, served), len(participants)))
    return Sample({"started": served - killed, "first": min(first) - killed, "all": max(first) - killed})


def _whole(found: list[float], count: int) -> list[float]:
    return found if len(found) == count else []


def _wait(condition: Callable[[], list[float]]) -> list[float]:
    deadline = time.monotonic() + _LONGEST
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimedOut(f"nothing was delivered within {_LONGEST:g} s after the server was killed")
        time.sleep(_LOOK)
    return found
