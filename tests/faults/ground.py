"""A folder laid out as a stack's, with the real server in it and participants that are real processes.

Participants are the real program, forked from a process that has imported it already: a test has dozens.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chitty import journal, process, resources, settings
from chitty.settings import Program
from chitty.trace import check
from chitty.trace.verdict import Judgement
from tests.faults import tally
from tests.services import options
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

ROOT = Path(__file__).parents[2]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["chitty.client.__main__", "tests.faults.bots"])


def live(folder: str, file: str) -> None:
    """Be the participant of clients/FILE.json, as `python -m chitty.client` is."""
    process.end_with_parent()
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(f"logs/{file}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    sys.argv = ["chitty.client", f"clients/{file}.json"]
    from chitty.client import __main__ as program  # noqa: PLC0415 - after the fork

    sys.exit(program.main())


class Ground:
    """The server and participants of one test.

    Args:
        changes: settings of the server, as tests.services.options has them.
    """

    def __init__(self, folder: Path, **changes: object) -> None:
        self.folder = folder
        for name in ("ready", "clients", "logs", "records"):
            (folder / name).mkdir()
        self.configure(**changes)
        self.defaults = settings.read(resources.path("conf/chitty.yaml"))
        self.server: subprocess.Popen[bytes] | None = None
        self.participants: dict[str, BaseProcess] = {}

    def configure(self, **changes: object) -> None:
        """Write the settings of the server's next life."""
        plain = {"sequencer": "sqlite", "grace": 60.0, **changes}
        (self.folder / "server.json").write_text(settings.encode(options(**plain)))

    def spawn(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start the server and do not wait for it."""
        with self.log("server").open("ab") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "chitty.server", "server.json"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.server

    def start(self, **environment: str) -> str:
        """Start the server; return its address once it serves."""
        self.spawn(**environment)
        return self.serving()

    def serving(self) -> str:
        """Wait until the server's present life serves; return its address."""
        assert self.server is not None
        server = self.server

        def address() -> str:
            assert server.poll() is None, self.log("server").read_text()[-2000:]
            facts = process.read_ready(self.folder / "ready/server")
            return str(facts.get("address", "")) if facts.get("pid") == server.pid else ""

        return eventually(address)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        assert self.server is not None
        self.server.kill()
        self.server.wait()

    def participant(self, name: str, bot: str = "talker", *, server: str = "", rate: float = 50.0, **more: Any) -> None:
        """Start a participant, or another life of it."""
        self.forget(name)
        bots = type(self.defaults.bot)(rate=rate, seed=None, phrases=["-"], run=f"tests.faults.bots:{bot}")
        keepalive = more.pop("keepalive", self.defaults.server.keepalive)
        program = Program(name=name, kind="bot", run=bots.run, bot=bots, keepalive=keepalive, server=server)
        (self.folder / f"clients/{name}.json").write_text(settings.encode(program))
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "ready" / name).unlink()
        started = _forks.Process(target=live, args=(str(self.folder), name), name=name)
        started.start()
        self.participants[name] = started

    def gather(self, names: set[str], rate: float) -> None:
        """Start participants that say nothing before all of them have joined: each is owed all that is said."""
        quiet = self.folder / "quiet"
        quiet.touch()
        for name in names:
            self.participant(name, rate=rate)
        eventually(lambda: self.joined(*names))
        quiet.unlink()

    def forget(self, name: str) -> None:
        old = self.participants.pop(name, None)
        if old is not None:
            old.join(PATIENCE)
            old.close()

    def signal(self, name: str, number: signal.Signals) -> None:
        pid = self.participants[name].pid
        assert pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def joined(self, *names: str) -> bool:
        return all(process.read_ready(self.folder / "ready" / name).get("joined") for name in names)

    def log(self, name: str) -> Path:
        return self.folder / f"logs/{name}.log"

    def lines(self, name: str) -> list[journal.Record]:
        text = self.log(name).read_text(errors="backslashreplace")
        return [record for line in text.splitlines() if (record := journal.parse(line)) is not None]

    def events(self, name: str, event: str) -> list[journal.Record]:
        return [record for record in self.lines(name) if record.event == event]

    def acked(self) -> int:
        """Return how many messages have a receipt, as their senders noted."""
        return sum(path.read_bytes().count(b'"acked"') for path in (self.folder / "records").glob("*.jsonl"))

    def await_acks(self, more: int) -> None:
        """Wait until so many more messages have a receipt."""
        goal = self.acked() + more
        eventually(lambda: self.acked() >= goal, progress=self.acked)

    def settle(self, present: set[str]) -> None:
        """Let all fall silent, and wait until those present have heard everything."""
        (self.folder / "quiet").touch()
        eventually(lambda: tally.settled(self.folder, present), progress=lambda: tally.size(self.folder))

    def end(self) -> None:
        """Let all leave, then the server, in good order."""
        for name in self.participants:
            self.signal(name, signal.SIGCONT)
            self.signal(name, signal.SIGTERM)
        for name in list(self.participants):
            self.participants[name].join(PATIENCE)
            assert self.participants[name].exitcode is not None, f"{name} does not end"
        if self.server is not None:
            self.server.terminate()
            self.server.wait(PATIENCE)

    def close(self) -> None:
        """Kill whatever still runs."""
        for started in self.participants.values():
            if started.is_alive():
                started.kill()
            started.join(PATIENCE)
            started.close()
        if self.server is not None:
            self.server.kill()
            self.server.wait()


def memory(pid: int) -> float:
    """Return the MB that a process alone has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def assert_valid(folder: Path) -> None:
    """Let `chitty check` judge the logs."""
    verdict = check.check(folder)
    problems = [
        f"{one.property}: expected {one.expected}, found {one.found} {one.places}" for one in verdict.violations
    ]
    problems += [f"{one.id} lacks {one.missing}" for one in verdict.findings if one.missing]
    assert verdict.judgement is Judgement.VALID, "\n".join(problems[:20])
