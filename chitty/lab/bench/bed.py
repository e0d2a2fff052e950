"""A system with its participants and publishers in place: what fan-out and latency are measured on."""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chitty.lab.bench import systems
from chitty.lab.bench.processes import Generator
from chitty.lab.bench.results import Sample
from chitty.lab.bench.systems import System
from chitty.lab.bench.usage import Elsewhere, Meter, judge
from chitty.load.histogram import Histogram

_QUIET = 0.3  # seconds without a delivery until the joins are over
_PATIENCE = 5.0  # seconds without a delivery after which what is missing is given up
_LOAD = "chitty.load"


@dataclass(frozen=True, slots=True)
class Bed:
    """A system, its subscribers and its publishers, each in processes of their own."""

    system: System
    subscribers: Sequence[Generator]
    publishers: Generator

    def join(self, participants: int, publishers: int = 0) -> float:
        """Let participants join, and the first of them be ready to publish; return the seconds of the joins."""
        names = [f"p{number}" for number in range(1, participants + 1)]
        sessions = [secrets.token_hex(16) for _ in names]
        seconds = 0.0
        for number, one in enumerate(self.subscribers):
            part = slice(number, None, len(self.subscribers))
            seconds += one.ask(do="subscribe", names=names[part], sessions=sessions[part])["seconds"]
        self.publishers.ask(do="speakers", names=names[:publishers], sessions=sessions[:publishers])
        self._settle()
        return seconds

    def decode(self, decoding: str) -> None:
        """Have the subscribers decode so from now on."""
        for generator in self.subscribers:
            generator.order(**{"do": "decode", "as": decoding})
        _answers(self.subscribers)

    def load(self, seconds: float, *, publishers: int, outstanding: int = 0, rate: float = 0.0) -> Sample:
        """Publish for a while, wait until all of it is delivered, and return what was measured.

        With a rate so many messages a second are published by all; else each of the publishers keeps so many
        outstanding. What is a second's is over the whole time, to the last delivery: what only gathers in
        buffers counts for nothing.
        """
        for generator in self.subscribers:
            generator.ask(do="begin")
        server, publishing = Meter([self.system.child.pid]), Meter([self.publishers.pid])
        subscribing = [Meter([generator.pid]) for generator in self.subscribers]
        elsewhere = Elsewhere()
        load = {"publishers": publishers, "outstanding": outstanding, "rate": rate, "seconds": seconds}
        told = self.publishers.ask(do="load", **load)
        for generator in self.subscribers:
            generator.order(do="finish", published=told["published"], patience=_PATIENCE)
        counted = _answers(self.subscribers)
        used = server.read()
        generators = [publishing.read(), *(meter.read() for meter in subscribing)]
        other = elsewhere.read(used.cores + sum(one.cores for one in generators))
        values = {
            **_delivered(counted, told["began"]),
            "published": told["published"] / told["seconds"],
            "late": 1000 * told["late"],
            "server": used.cores,
            "publishing": generators[0].cores,
            "subscribing": sum(one.cores for one in generators[1:]),
            "elsewhere": other,
        }
        if values["delivered"]:
            values["cpu_per_delivery"] = 1e6 * used.cores / values["delivered"]
        return Sample(values, judge(used, generators, threaded=self.system.threaded))

    def publish(self, count: int) -> int:
        """Publish at least so many messages as fast as the system takes them, by the first publisher.

        Returns the sequence of the last one: it holds for Chitty-Chat only.
        """
        return int(self.publishers.ask(do="publish", count=count)["sequence"])

    def _settle(self) -> None:
        """Wait until the events of joining are over."""
        for generator in self.subscribers:
            generator.order(do="settle", patience=_QUIET)
        _answers(self.subscribers)


@contextlib.contextmanager
def made(
    name: str, folder: Path, participants: int, publishers: int, *, generators: int = 1, **changes: Any
) -> Iterator[Bed]:
    """Start a system, let participants join it, and have the first of them ready to publish; end all afterwards."""
    system = systems.start(name, folder, **changes)
    with contextlib.ExitStack() as stack:
        stack.enter_context(system.child)

        def generator(kind: str) -> Generator:
            arguments = (name, system.address, system.decodings[0])
            return stack.enter_context(Generator(folder, kind, _LOAD, *arguments))

        subscribers = [generator(f"subscribers{number}") for number in range(1, generators + 1)]
        bed = Bed(system, subscribers, generator("publishers"))
        bed.join(participants, publishers)
        yield bed


def _answers(generators: Sequence[Generator]) -> list[dict[str, Any]]:
    return [generator.answered() for generator in generators]


def _delivered(counted: Sequence[dict[str, Any]], began: float) -> dict[str, float]:
    """Return what all subscribers together were delivered since a moment."""
    latencies = Histogram()
    for one in counted:
        latencies.merge(Histogram(tuple(pair) for pair in one["latencies"]))
    seconds = max(max(one["last"] for one in counted) - began, 1e-3)
    sums = {key: sum(one[key] for one in counted) for key in ("deliveries", "pieces", "bytes", "wanted")}
    return {
        "delivered": sums["deliveries"] / seconds,
        "missing": max(0, sums["wanted"] - sums["deliveries"]),
        "pieces": sums["pieces"] / seconds,
        "bytes": sums["bytes"] / seconds,
        "seconds": seconds,
        "p50": latencies.quantile(0.5),
        "p99": latencies.quantile(0.99),
        "max": latencies.quantile(1.0),
    }
