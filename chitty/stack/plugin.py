"""What supervisord loads: it holds the stack's lock for life, and remembers how each process ended.

Runs inside supervisord and must neither block it nor import much. Supervisord forgets which signal ended a
process, and why it was asked to end: both are noted here, in memory for `status` and in events.jsonl.
"""

import fcntl
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from supervisor import events
from supervisor.states import getProcessStateDescription

from chitty.journal import HUB, wall_time
from chitty.process import read_ready
from chitty.stack import marking
from chitty.stack.forking import Forking
from chitty.stack.layout import SERVER
from chitty.stack.workdir import Workdir

_PATIENCE = 2.0  # seconds: a command that only looks whether the lock is held holds it for an instant

_ENDED = frozenset({"STOPPED", "EXITED", "BACKOFF"})

# Module-global, because supervisord makes everything anew when it is told to reload, in the same process.
_lock = -1
_ends: dict[str, dict[str, Any]] = {}
_left: dict[str, dict[str, str]] = {}
_intents: dict[str, dict[str, Any]] = {}
_waker: "_Waker | None" = None


class Chitty:
    """The RPC namespace `chitty`: what supervisord's own calls do not tell, in one JSON text."""

    def __init__(self, supervisord: Any) -> None:
        self._supervisord = supervisord
        self._events = Path("events.jsonl")  # in the directory that supervisord works in, which may be moved
        self._statuses: dict[int, int] = {}
        self._wrap_waitpid(supervisord.options)
        Workdir(supervisord)
        self._forking = Forking(supervisord.options, _let_go)
        events.subscribe(events.ProcessStateEvent, self._changed)

    def programs(self) -> str:
        """Return every program with its state and its last end, and who left for good, as JSON."""
        programs = [
            {
                "program": process.config.name,
                "state": getProcessStateDescription(process.get_state()),
                "pid": process.pid,
                "started": bool(process.laststart),
                "end": _ends.get(process.config.name),
            }
            for group in self._supervisord.process_groups.values()
            for process in group.processes.values()
        ]
        return json.dumps({"pid": os.getpid(), "programs": programs, "left": _left})

    def note(self, program: str, fact: str) -> bool:
        """Note, in order with what happens, what was asked for; `fact` is a JSON object."""
        asked = json.loads(fact)
        _intents[program] = asked
        if asked.get("intent") == "left":
            _left[program] = {key: asked[key] for key in ("name", "kind", "reason")}
        elif asked.get("intent") == "forget":
            _left.pop(program, None)
            _ends.pop(program, None)
        self._write({"program": program, **asked})
        return True

    def _wrap_waitpid(self, options: Any) -> None:
        wait = options.waitpid

        def remember() -> Any:
            pid, status = wait()
            if pid:
                self._statuses[pid] = status
            return pid, status

        options.waitpid = remember

    def _changed(self, event: Any) -> None:
        process = event.process
        program = process.config.name
        fact: dict[str, Any] = {"program": program, "state": getProcessStateDescription(process.get_state())}
        if process.pid:
            fact["pid"] = process.pid
        status = self._statuses.pop(process.pid, None) if fact["state"] in _ENDED else None
        if status is not None:
            fact |= _ending(status)
            _ends[program] = {**fact, "asked": _asked(program, process.pid)}
        if fact["state"] in _ENDED:
            marking.finish(process)
        if fact["state"] == "STARTING":
            marking.attend(process, _name_of(program))
            self._forking.prepare(process.config.command, process.config.environment)
            _ends.pop(program, None)
            _left.pop(program, None)
        self._write(fact)

    def _write(self, fact: dict[str, Any]) -> None:
        line = json.dumps({"wall": wall_time(time.time()), **fact}, ensure_ascii=False) + "\n"
        with suppress(OSError), self._events.open("a", encoding="utf-8") as file:
            file.write(line)


class _Waker:
    """Ends supervisord's sleep of up to a second when a child ends."""

    def __init__(self, sockets: dict[int, Any]) -> None:
        self._sockets = sockets
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        sockets[self._reading] = self
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def readable(self) -> bool:
        """Tell supervisord's loop to watch the pipe."""
        return True

    def writable(self) -> bool:
        """Tell supervisord's loop that nothing is written from it."""
        return False

    def handle_read_event(self) -> None:
        """Empty the pipe: waking was all."""
        with suppress(BlockingIOError):
            while os.read(self._reading, 4096):
                pass

    def handle_error(self) -> None:
        """Stay: a waker that fails costs a second, no more."""

    def forget(self) -> None:
        """Leave the loop, after a reload of supervisord that closed the pipe."""
        self._sockets.pop(self._reading, None)


def make(supervisord: Any, **_config: Any) -> Chitty:
    """Return the RPC interface; supervisord calls this while it starts, named in its configuration.

    Raises:
        ValueError: another supervisord holds the stack.
    """
    global _waker  # noqa: PLW0603 - see above
    _hold(Path("stack.lock"))
    if _waker is not None:
        _waker.forget()
    _waker = _Waker(supervisord.options.get_socket_map())
    return Chitty(supervisord)


def _hold(path: Path) -> None:
    global _lock  # noqa: PLW0603 - see above
    if _lock >= 0 and _is_open(_lock, path):
        return
    _lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ValueError(f"another supervisord holds {path.resolve()}") from None
            time.sleep(0.01)
        else:
            return


def _let_go() -> None:
    """Close a child's copy of the lock, which would be held for as long as any copy is open."""
    os.close(_lock)


def _is_open(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _name_of(program: str) -> str:
    """Return what the process of a program is called in its log."""
    return HUB if program == SERVER else str(read_ready(Path(f"clients/{program}.json")).get("name", program))


def _ending(status: int) -> dict[str, Any]:
    if os.WIFSIGNALED(status):
        return {"signal": _signal_name(os.WTERMSIG(status))}
    return {"status": os.waitstatus_to_exitcode(status)}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _asked(program: str, pid: int) -> str:
    """Return what was asked of this very process, empty when it ended unasked."""
    asked = _intents.get(program, {})
    return str(asked.get("intent", "")) if asked.get("pid") == pid else ""
