"""A system with its participants and publishers in place: what fan-out and latency are measured on."""

import contextlib
import secrets
import time
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

WARM_UP = 0.4
"""Seconds of load before it is measured."""

_QUIET = 0.3  # seconds without a delivery until the load before is over
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
        """Publish for a while, and return what was measured: see `docs/performance.md` for the figures.

        With a rate so many messages a second are published by all; else each of the publishers keeps so many
        outstanding.
        """
        begin = time.monotonic() + WARM_UP
        window = {"begin": begin, "end": begin + seconds}
        for generator in self.subscribers:
            generator.order(do="count", **window)
        self.publishers.order(do="load", publishers=publishers, outstanding=outstanding, rate=rate, **window)
        time.sleep(max(0.0, begin - time.monotonic()))
        server, publishing = Meter([self.system.child.pid]), Meter([self.publishers.pid])
        subscribing = [Meter([generator.pid]) for generator in self.subscribers]
        elsewhere = Elsewhere()
        time.sleep(max(0.0, begin + seconds - time.monotonic()))
        used = server.read()
        generators = [publishing.read(), *(meter.read() for meter in subscribing)]
        other = elsewhere.read(used.cores + sum(one.cores for one in generators))
        counted, told = _answers(self.subscribers), self.publishers.answered()
        self._settle()
        latencies = _latencies(counted)
        delivered = sum(one["deliveries"] / one["seconds"] for one in counted)
        pieces = sum(one["pieces"] / one["seconds"] for one in counted)
        values = {
            "published": told["published"] / told["seconds"],
            "delivered": delivered,
            "bytes": sum(one["bytes"] / one["seconds"] for one in counted),
            "pieces": pieces,
            "p50": latencies.quantile(0.5),
            "p99": latencies.quantile(0.99),
            "max": latencies.quantile(1.0),
            "late": 1000 * told["late"],
            "server": used.cores,
            "server_thread": used.busiest,
            "publishing": generators[0].cores,
            "subscribing": sum(one.cores for one in generators[1:]),
            "elsewhere": other,
        }
        if delivered:
            values["cpu_per_delivery"] = 1e6 * used.cores / delivered
        return Sample(values, judge(used, generators, threaded=self.system.threaded))

    def publish(self, count: int) -> int:
        """Publish at least so many messages as fast as the system takes them, by the first publisher.

        Returns the sequence of the last one: it holds for Chitty-Chat only.
        """
        return int(self.publishers.ask(do="publish", count=count)["sequence"])

    def _settle(self) -> None:
        for generator in self.subscribers:
            generator.order(do="settle", quiet=_QUIET)
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


def _latencies(counted: Sequence[dict[str, Any]]) -> Histogram:
    together = Histogram()
    for one in counted:
        together.merge(Histogram(tuple(pair) for pair in one["latencies"]))
    return together
