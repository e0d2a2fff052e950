"""Scenario `join`: how long participants take to join, what they cost while they are idle, and whole commands."""

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import mean

from chitty.lab.bench import bed, systems, usage
from chitty.lab.bench.processes import Generator
from chitty.lab.bench.results import Point, Sample
from chitty.lab.bench.scenario import Collected, Lab
from chitty.lab.bench.stacks import Commanded, names
from chitty.lab.bench.systems import CHITTY

NAME = "join"
LIBRARY = (3, 30, 100, 1000)
STACKS = (3, 30, 100)
IDLE = 1000

COMMANDS = ("status", "say", "leave")

_CALM = 0.7  # seconds after which memory is read
_STILL = {"rate": 0.001}  # bots that do not speak while they are measured


def measure(lab: Lab) -> Iterable[Point]:
    """Measure joins through the library, through the wire and by `chitty up`."""
    collected = Collected(NAME)
    for run in range(1, lab.options.runs + 1):
        for size in lab.options.sizes(*LIBRARY):
            lab.tell(f"run {run}: {size} join through the library")
            collected.add("library", {"participants": size}, _library(lab, size))
        idle = lab.options.scaled(IDLE, 10)
        lab.tell(f"run {run}: {idle} idle participants")
        collected.add("wire", {"participants": idle}, _idle(lab, idle))
        for size in lab.options.sizes(*STACKS):
            lab.tell(f"run {run}: chitty up --clients {size}")
            collected.add("up", {"participants": size}, _up(lab, size))
    return collected.points()


def _library(lab: Lab, size: int) -> Sample:
    folder = lab.place(f"{NAME}-library")
    system = systems.start(CHITTY, folder, **systems.MEMORY)
    with system.child, Generator(folder, "library", "chitty.load.library", system.address) as library:
        server, client = (_memory(child.pid) for child in (system.child, library))
        seconds = library.ask(do="join", count=size)["seconds"]
        time.sleep(_CALM)
        memory = {"server_memory": server() / size, "client_memory": client() / size}
        library.ask(do="leave")
    return Sample({"seconds": seconds, "per_second": size / seconds, **memory})


def _idle(lab: Lab, size: int) -> Sample:
    """Measure joins of bare clients, and the memory of the server for each when all are idle."""
    folder = lab.place(f"{NAME}-idle")
    with bed.made(CHITTY, folder, 0, 0, **systems.MEMORY) as empty:
        grown = _memory(empty.system.child.pid)
        seconds = empty.join(size)
        time.sleep(_CALM)
        return Sample({"seconds": seconds, "per_second": size / seconds, "server_memory": grown() / size})


def _memory(pid: int) -> Callable[[], int]:
    """Return what tells how many bytes a process has grown since now."""
    before = usage.resident(pid)
    return lambda: usage.resident(pid) - before


def _up(lab: Lab, size: int) -> Sample:
    """Measure `up` by the clock, the memory of its processes, and commands on what runs then."""
    everybody = names(size)
    with Commanded(lab.place(f"{NAME}-up"), _STILL) as stack:
        up = stack.up(everybody).seconds
        time.sleep(_CALM)
        server, participants = stack.pids()
        values = {
            "seconds": up,
            "participant_memory": mean(map(usage.proportional, participants)),
            "server_memory": float(usage.proportional(server)),
        }
        for command, arguments in _commands(everybody).items():
            values[command] = stack.run(*arguments).seconds
        values["down"] = stack.run("down").seconds
    return Sample(values)


def _commands(everybody: Sequence[str]) -> dict[str, tuple[str, ...]]:
    first, *_, last = everybody
    return {"status": ("status",), "say": ("say", first, "how late is it?"), "leave": ("leave", last)}
