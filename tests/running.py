"""Real servers and participants as processes in a directory that is laid out as a stack's, for tests of what they bear.

They are ended by pid when their test is.
"""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from chitty import journal, process, resources, settings
from chitty.settings import Keepalive, Program
from tests.services import options
from tests.waiting import PATIENCE, eventually

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What must not be in a log, or reach a terminal, unescaped: everything of that kind but the line's own end."""


class Running:
    """A server in a process of its own, and the participants that a test adds.

    Args:
        files: how many open files a process begins with, as its soft limit.
        changes: of the settings, as `options` takes them.

    Attributes:
        address: `host:port` of the server.
        log: its log.
    """

    def __init__(self, folder: Path, files: int = 0, **changes: object) -> None:
        self.folder = folder
        for name in ("ready", "clients", "logs"):
            (folder / name).mkdir()
        (folder / "server.json").write_text(settings.encode(options(**{"sequencer": "sqlite", **changes})))
        self.log = folder / "logs/server.log"
        self._started: list[subprocess.Popen[bytes]] = []
        self._files = files
        self.server = self.start("server", "chitty.server", "server.json")
        self.address = eventually(lambda: process.read_ready(folder / "ready/server").get("address"))
        self.port = int(self.address.rpartition(":")[2])

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        bound = ["sh", "-c", f'ulimit -Sn {self._files}; exec "$@"', "sh"] if self._files else []
        with (self.folder / f"logs/{name}.log").open("ab") as log:
            started = subprocess.Popen(
                [*bound, sys.executable, "-m", *arguments],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._started.append(started)
        return started

    def participant(self, name: str, keepalive: Keepalive | None = None) -> subprocess.Popen[bytes]:
        """Start a participant that says what is written to its standard input; return once it has joined."""
        defaults = settings.read(resources.path("conf/chitty.yaml"))
        program = Program(
            name=name, kind="human", run="", bot=defaults.bot, keepalive=keepalive or defaults.server.keepalive
        )
        (self.folder / f"clients/{name}.json").write_text(settings.encode(program))
        started = self.start(name, "chitty.client", f"clients/{name}.json")
        eventually(lambda: process.read_ready(self.folder / "ready" / name).get("joined"))
        return started

    def log_of(self, name: str) -> str:
        return (self.folder / f"logs/{name}.log").read_text(encoding="utf-8")

    def events(self, name: str = "server") -> list[journal.Record]:
        records = [journal.parse(line) for line in self.log_of(name).split("\n")]
        return [record for record in records if record is not None and record.event]

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.server.pid}/fd").iterdir()))

    def memory(self) -> float:
        """Resident memory of the server in MB."""
        status = Path(f"/proc/{self.server.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self) -> None:
        """Let the server end well, as a SIGTERM does."""
        self.server.send_signal(signal.SIGTERM)
        assert self.server.wait(PATIENCE) == 0

    def kill(self) -> None:
        for started in self._started:
            started.kill()
            started.wait()
            with contextlib.suppress(BrokenPipeError):
                started.stdin.close()


@contextlib.contextmanager
def running(folder: Path, **changes: object) -> Iterator[Running]:
    made = Running(folder, **changes)
    try:
        yield made
    finally:
        made.kill()


def check_lines(text: str) -> None:
    """Assert of lines of a log that each has a head, that none tells of a failure, and that none harms a terminal."""
    assert not UNSAFE.search(text), ascii(UNSAFE.search(text))
    failure = text.find("Traceback")
    assert failure < 0, text[max(0, failure - 500) : failure + 4000]
    for line in text.split("\n"):
        record = journal.parse(line) if line else None
        assert not line or record is not None, f"a line without a head: {line!r}"
        assert record is None or record.level in {"INFO", "WARNING"}, line
