"""Whole stacks, started, asked and stopped by commands as a person types them, by the clock."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from chitty.core.errors import StackError
from chitty.lab.bench.systems import server_settings
from chitty.stack import ending
from chitty.stack.control import Stack
from chitty.stack.layout import Layout

_LONGEST = 300.0  # seconds of a command


@dataclass(frozen=True, slots=True)
class Command:
    """A command that has ended: its output, its exit code, and the seconds it took."""

    out: str
    code: int
    seconds: float


class Commanded:
    """A stack in a folder of its own. Used as a context manager: it is down afterwards."""

    def __init__(self, folder: Path, bot: Mapping[str, Any]) -> None:
        self._folder = folder
        self._config = folder / "bench.yaml"
        self._config.write_text(yaml.safe_dump({"server": server_settings(), "bot": dict(bot)}), encoding="utf-8")
        self.layout = Layout.of(folder / "stack")
        stack = Stack(self.layout)
        stack.claim()  # nobody else has a stack in this folder
        self._stack = stack
        self._ending = ending.afterwards(stack, lambda: ending.end(stack))

    def __enter__(self) -> Self:
        """Return itself."""
        self._ending.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take it down, whatever happened."""
        self._ending.__exit__(kind, error, traceback)

    def run(self, *arguments: str, accept: Sequence[int] = (0,)) -> Command:
        """Run a command to its end, by the clock.

        Raises:
            StackError: it ended with another exit code than those accepted.
        """
        line = [sys.executable, "-P", "-m", "chitty", "-q", "-C", str(self.layout.directory), *arguments]
        began = time.monotonic()
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                line,
                cwd=self._folder,
                env={**os.environ, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_LONGEST,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StackError(f"`chitty {' '.join(arguments)}` has not ended after {_LONGEST:g} s") from None
        seconds = time.monotonic() - began
        if done.returncode not in accept:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise StackError(f"`chitty {arguments[0]}` ended with {done.returncode}: {said[-1] if said else ''}")
        return Command(done.stdout, done.returncode, seconds)

    def up(self, names: Sequence[str]) -> Command:
        """Start it with participants; it returns when all have joined."""
        # a port of its own for good, so that a server that is started again has the same
        done = self.run("up", "--clients", ",".join(names), "--config", str(self._config), "--wait", "120")
        self._stack.own()  # to be found again, wherever the folder is by the end
        return done

    def pids(self) -> tuple[int, list[int]]:
        """Return the process of the server, and those of its participants."""
        now = Stack(self.layout).members()
        participants = [member.pid for member in now.present() if member.pid]
        return now.server.pid or 0, participants

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says."""
        told: dict[str, Any] = json.loads(self.run("status", "--json").out)
        return told


def names(number: int) -> list[str]:
    """Return the names of so many participants: p1, p2, ..."""
    return [f"p{one}" for one in range(1, number + 1)]
