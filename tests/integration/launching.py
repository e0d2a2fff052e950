"""A stack of a test: the command line as a person types it, and an end whatever happens."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from chitty import journal, process
from chitty.core.errors import NotRunning
from chitty.stack import control, leftovers, report
from chitty.stack.layout import Layout, slug
from tests.waiting import PATIENCE, eventually

ROOT = Path(__file__).parents[2]


class Stack:
    """The commands of one stack, in processes of their own."""

    def __init__(self, directory: Path, cwd: Path | None = None) -> None:
        self.layout = Layout.of(directory)
        self.cwd = cwd or directory.parent
        self._supervisors: set[int] = set()
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "CHITTY_DIR": str(directory)}
        self.environment.pop("NO_COLOR", None)

    def command(self, *arguments: object) -> list[str]:
        words = list(map(str, arguments))
        if words[:1] in (["up"], ["restart"]) and "--wait" not in words:
            words[1:1] = ["--wait", str(PATIENCE)]
        return [sys.executable, "-m", "chitty", *words]

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        plain = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            self.command(*arguments), cwd=self.cwd, env=self.environment, text=True, **{**plain, **options}
        )

    def call(self, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever that is."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.cwd,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        with contextlib.suppress(OSError, ValueError):
            self._supervisors.add(int(self.layout.pidfile.read_text()))
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def run(self, *arguments: object, expect: int = 0, stdin: str = "") -> str:
        """Run a command that ends with the exit code expected, and return what it printed: data, then notices."""
        done = self.call(*arguments, stdin=stdin)
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def up(self, *arguments: object, expect: int = 0) -> str:
        return self.run("up", "--port", 0, *arguments, expect=expect)

    def status(self) -> dict[str, Any]:
        """Return what `chitty status --json` prints, without the quarter of a second that a process takes."""
        stack = control.Stack(self.layout)
        try:
            now = stack.members()
        except NotRunning:
            now = None
        found: dict[str, Any] = json.loads(report.as_json(stack, now))
        return found

    def of(self, name: str) -> dict[str, Any]:
        return next((one for one in self.status()["participants"] if one["name"] == name), {})

    def joined(self) -> set[str]:
        return {one["name"] for one in self.status()["participants"] if one["joined"]}

    def pid(self, name: str) -> int:
        """Return the pid that a process published; no command is run for it."""
        return int(process.read_ready(self.layout.ready / (name if name == "server" else slug(name)))["pid"])

    def records(self, name: str) -> list[journal.Record]:
        text = self.layout.log(name if name == "server" else slug(name)).read_text()
        return [record for line in text.splitlines() if (record := journal.parse(line)) is not None]

    def supervisor(self) -> int:
        return int(self.layout.pidfile.read_text())

    def end(self) -> None:
        """Stop it, and kill by pid whatever did not."""
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            self.call("down")
        for pid in [*self._supervisors, *leftovers.find(self.layout, None)]:
            if process.alive(pid) and str(self.layout.directory).encode() in _about(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not leftovers.find(self.layout, None))


def _about(pid: int) -> bytes:
    try:
        return os.fsencode(Path(f"/proc/{pid}/cwd").readlink()) + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
