"""Who is in a stack and how they are: supervisord's word, the kernel's, ready/ files and logs, as one value.

Reads only.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chitty import journal, logfile, process
from chitty.core.errors import NoSuchParticipant
from chitty.core.names import fold
from chitty.stack.layout import SERVER, Layout
from chitty.stack.supervisor import Supervisor

RUNNING = frozenset({"STARTING", "RUNNING", "PAUSED", "STOPPING"})
"""States in which there is a process."""

_TAIL = 8192  # bytes of a log's end in which the last Lamport time is looked for


@dataclass(frozen=True, slots=True)
class Server:
    """The service: its process, and what it published when it began to serve.

    Attributes:
        trouble: why it takes nothing new though it serves; empty while it does.
    """

    state: str
    pid: int | None = None
    address: str | None = None
    health: str = "UNKNOWN"
    reason: str = ""
    failed: str = ""
    trouble: str = ""

    @property
    def serving(self) -> bool:
        """Whether it answers calls."""
        return self.health == "SERVING"


@dataclass(frozen=True, slots=True)
class Member:
    """One participant: its program, its process, and how the last one ended.

    Attributes:
        kind: bot or human.
        state: supervisord's own name of it, or PAUSED.
        reason: how it ended: left, killed, crashed (...) or refused: ...; empty while it runs.
        refused: the service's message, when it was refused for good.
        over: it has left or was refused, though its process may linger for a second.
        left: it was asked to leave, did, and is no program any more.
    """

    name: str
    slug: str
    kind: str
    state: str
    pid: int | None = None
    joined: bool = False
    reason: str = ""
    refused: str = ""
    over: bool = False
    left: bool = False

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self.state in RUNNING


@dataclass(frozen=True, slots=True)
class Members:
    """A stack at one moment."""

    supervisor: int
    server: Server
    participants: list[Member]

    def find(self, name: str) -> Member | None:
        """Return the participant of a name, whatever its case; one that left for good is none."""
        key = fold(name)
        return next((one for one in self.participants if fold(one.name) == key and not one.left), None)

    def get(self, name: str) -> Member:
        """Return the participant of a name.

        Raises:
            NoSuchParticipant: there is none.
        """
        member = self.find(name)
        if member is None:
            if any(fold(one.name) == fold(name) for one in self.participants):
                raise NoSuchParticipant(f"{name} has left: `chitty join {name}` lets it join again")
            known = ", ".join(one.name for one in self.present()) or "nobody"
            raise NoSuchParticipant(f"no participant is called {name!r}: here are {known}")
        return member

    def present(self) -> list[Member]:
        """Return those that are programs of the stack."""
        return [one for one in self.participants if not one.left]


def read(layout: Layout, supervisor: Supervisor) -> Members:
    """Return the stack as it is now.

    Raises:
        NotRunning: no supervisord answers.
    """
    told = json.loads(supervisor.call("chitty.programs"))
    by_slug = {program["program"]: program for program in told["programs"]}
    names = dict(clients(layout))
    found = [_member(layout, program, names.get(slug)) for slug, program in by_slug.items() if slug != SERVER]
    found += [
        Member(gone["name"], slug, gone["kind"], "STOPPED", reason=gone["reason"], left=True)
        for slug, gone in told["left"].items()
        if slug not in by_slug
    ]
    found.sort(key=lambda one: (one.left, fold(one.name)))
    return Members(told["pid"], _server(layout, by_slug.get(SERVER, {})), found)


def clients(layout: Layout) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each participant's process is told, by slug, whether or not the stack runs."""
    for path in sorted(layout.clients.glob("*.json")):
        told = process.read_ready(path)
        if isinstance(told.get("name"), str):
            yield path.stem, told


def lamport(log: Path) -> int | None:
    """Return the Lamport time at the end of a log, None when it tells none."""
    found = _lamport(log)
    if found is not None:
        return found
    # It may have been rotated just now. Looking for older files takes longer.
    older = map(_lamport, reversed(logfile.generations(log)[:-1]))
    return next((time for time in older if time is not None), None)


def _lamport(file: Path) -> int | None:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, 2) - _TAIL))
            end = opened.read()
    except OSError:
        return None
    for line in reversed(end.split(b"\n")[:-1]):
        record = journal.parse(line.decode("utf-8", "replace"))
        if record is not None and "lamport" in record.fields:
            return int(record.fields["lamport"])
    return None


def _server(layout: Layout, program: dict[str, Any]) -> Server:
    pid = program.get("pid") or None
    state = _state(program.get("state", "STOPPED"), pid)
    ready = process.read_ready(layout.ready / SERVER)
    own = pid is None or ready.get("pid") == pid  # and not of an earlier life
    failed = str(ready.get("failed", "")) if own else ""
    if pid is None or not own or not process.alive(pid):
        return Server(state, pid, reason=_reason(program, {}), failed=failed)
    health, trouble = ready.get("health", "UNKNOWN"), str(ready.get("trouble", ""))
    return Server(state, pid, ready.get("address"), health, failed=failed, trouble=trouble)


def _member(layout: Layout, program: dict[str, Any], told: dict[str, Any] | None) -> Member:
    slug = program["program"]
    pid = program["pid"] or None
    ready = process.read_ready(layout.ready / slug)
    own = pid is not None and ready.get("pid") == pid
    return Member(
        name=told["name"] if told else slug,
        slug=slug,
        kind=str(told.get("kind", "bot")) if told else "bot",
        state=_state(program["state"], pid),
        pid=pid,
        joined=own and ready.get("joined") is True and process.alive(pid or 0),
        reason="" if pid else _reason(program, ready),
        refused=str(ready.get("refused", "")) if own or not pid else "",
        over=own and bool(ready.get("refused") or ready.get("left")),
    )


def _state(state: str, pid: int | None) -> str:
    if pid is not None and state in RUNNING and process.state_of(pid) == "T":
        return "PAUSED"
    return state


def _reason(program: dict[str, Any], ready: dict[str, Any]) -> str:
    end = program.get("end")
    if end is None:
        return ""
    own = ready.get("pid") == end.get("pid")
    if own and ready.get("refused"):
        return f"refused: {ready['refused']}"
    if (own and ready.get("left")) or end.get("status") == 0:
        return "left"
    if end.get("asked") == "kill" and "signal" in end:
        return "killed" if end["signal"] == "SIGKILL" else f"killed ({end['signal']})"
    how = end["signal"] if "signal" in end else f"exit status {end.get('status')}"
    return f"crashed ({how})"
