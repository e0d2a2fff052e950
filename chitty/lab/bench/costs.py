"""Scenario `costs`: what the parts cost that nothing can do without, so that figures can be held against them."""

import socket
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from chitty.lab.bench import usage
from chitty.lab.bench.durable import fsync
from chitty.lab.bench.processes import Child, Generator
from chitty.lab.bench.results import Point, Sample
from chitty.lab.bench.scenario import Collected, Lab

NAME = "costs"
MESSAGES = 20_000
SIZE = 110  # bytes, about those of an event
STREAMS = 1_000

_PIECE = 1 << 18
_LOOPBACK_SECONDS = 0.5
_CALM = 0.5  # seconds after which memory is read


def measure(lab: Lab) -> Iterable[Point]:
    """Measure each part."""
    collected = Collected(NAME)
    messages, streams = lab.options.scaled(MESSAGES, 500), lab.options.scaled(STREAMS, 10)
    for run in range(1, lab.options.runs + 1):
        lab.tell(f"run {run}: the loopback, the disk, gRPC by itself")
        collected.add("loopback", {}, loopback(_LOOPBACK_SECONDS))
        collected.add("disk", {}, fsync(lab.folder))
        with started(lab.place(NAME)) as server, probing(lab.place(NAME), server) as probe:
            collected.add("grpc", {"messages": messages, "size": SIZE}, _writing(server, probe, messages))
            collected.add("processor", {}, Sample(probe.ask(do="parse", events=lab.options.scaled(2_000, 100))))
            before = usage.resident(server.pid)
            probe.ask(do="hold", count=streams)
            time.sleep(_CALM)
            each = (usage.resident(server.pid) - before) / streams
            collected.add("grpc", {"streams": streams}, Sample({"memory": each}))
    return collected.points()


def started(folder: Path) -> Child:
    """Start a bare server."""
    return Child([sys.executable, "-P", "-m", "chitty.load.bare"], folder, "bare")


def probing(folder: Path, server: Child) -> Generator:
    """Start what asks it."""
    return Generator(folder, "probe", "chitty.load.probe", server.await_text("127.0.0.1:").strip())


def loopback(seconds: float) -> Sample:
    """Measure how many bytes a second one connection over the loopback carries."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sending = socket.create_connection(listening.getsockname())
        receiving, _ = listening.accept()
    end = time.monotonic() + seconds

    def send() -> None:
        piece = b"." * _PIECE
        with sending:
            while time.monotonic() < end:
                sending.sendall(piece)

    thread = threading.Thread(target=send, daemon=True)
    began, count = time.monotonic(), 0
    thread.start()
    buffer = bytearray(_PIECE)
    with receiving:
        while got := receiving.recv_into(buffer):
            count += got
    thread.join()
    return Sample({"bytes": count / (time.monotonic() - began)})


def _writing(server: Child, probe: Generator, messages: int) -> Sample:
    """Measure what a write and a read cost, in microseconds of processor time."""
    before = usage.seconds_of(server.pid), usage.seconds_of(probe.pid)
    told = probe.ask(do="read", count=messages, size=SIZE)
    after = usage.seconds_of(server.pid), usage.seconds_of(probe.pid)
    write, read = (1e6 * (now - then) / messages for then, now in zip(before, after, strict=True))
    return Sample({"write": write, "read": read, "writes": messages / told["seconds"]})
