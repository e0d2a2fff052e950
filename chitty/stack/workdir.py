"""The directory that a supervisord works in: where it is moved to, its files are; when it is removed, all ends.

Runs inside supervisord, which makes its paths absolute when it reads them. Without this, one whose directory was
moved would write to, rotate and remove the files of a new stack at the old path, and one whose directory was removed
would live on, where no command can reach it.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from supervisor.states import SupervisorStates

from chitty.stack.layout import SERVER

_LOGS = ("stdout_logfile", "stderr_logfile")


class Workdir:
    """Looks at the directory once in each turn of supervisord's loop, which takes a second at most."""

    def __init__(self, supervisord: Any) -> None:
        self._supervisord = supervisord
        self._options = supervisord.options
        self._path = str(Path.cwd())
        self._wait = self._options.waitpid
        self._options.waitpid = self._look_and_wait

    def look(self) -> None:
        """Follow the directory where it was moved, and end with it if it was removed."""
        try:
            path = str(Path.cwd())
        except FileNotFoundError:
            self._end()
            return
        if path != self._path:
            for holder, name in self._paths():
                setattr(holder, name, _moved(getattr(holder, name), self._path, path))
            for config in self._options.server_configs:
                config["file"] = _moved(config.get("file"), self._path, path)
            self._path = path

    def _look_and_wait(self) -> Any:
        """Look, and then for children that ended, as supervisord does at the end of each turn."""
        self.look()
        return self._wait()

    def _paths(self) -> Iterator[tuple[Any, str]]:
        """Yield everything that has a path in the directory, and the attribute that it has it in."""
        yield from ((self._options, name) for name in ("pidfile", "logfile", "childlogdir"))
        yield from ((handler, "baseFilename") for handler in self._options.logger.handlers)
        for group in self._supervisord.process_groups.values():
            for process in group.processes.values():
                yield from ((process.config, name) for name in _LOGS)
                for dispatcher in process.dispatchers.values():
                    log = getattr(dispatcher, "normallog", None)
                    yield from ((handler, "baseFilename") for handler in (log.handlers if log else []))

    def _end(self) -> None:
        """Stop the participants together, the server once they have ended, and with it supervisord."""
        if self._options.mood >= SupervisorStates.RUNNING:
            self._options.logger.info("%(path)s was removed: ending all that works there", path=self._path)
            self._options.mood = SupervisorStates.SHUTDOWN
            self._leave_files()
        groups = self._supervisord.process_groups
        participants = [group for name, group in groups.items() if name != SERVER]
        for group in participants:
            _stop(group)
        if SERVER in groups and not any(group.get_unstopped_processes() for group in participants):
            _stop(groups[SERVER])

    def _leave_files(self) -> None:
        """Keep supervisord from removing at its end what is at the old path by now: that is another's."""
        self._options.unlink_pidfile = False
        sockets = [config.get("file") or "" for config in self._options.server_configs]
        self._options.unlink_socketfiles = not any(path.startswith(f"{self._path}/") for path in sockets)


def _stop(group: Any) -> None:
    """Stop what runs of a group; one that is paused is woken, to hear it."""
    group.stop_all()
    for process in group.get_unstopped_processes():
        if process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)


def _moved(value: Any, old: str, new: str) -> Any:
    """Return a path as it is after a move of the directory `old` to `new`; anything else as it is."""
    if isinstance(value, str) and value.startswith(f"{old}/"):
        return new + value[len(old) :]
    return value
