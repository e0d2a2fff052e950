"""Starting a program as a fork of supervisord, without exec: what was imported once is shared by all.

Runs inside supervisord. A program is forked when its environment asks for it and its command begins as
supervisord's own does: the same interpreter with the same options. Everything else is exec'ed, so that what
is written for supervisord means the same to one that was started in another way. Knows no program: which
module is to run stands in the command. Importing it may start no thread, and must not use gRPC.
"""

import atexit
import contextlib
import gc
import importlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from setproctitle import setproctitle, setthreadtitle

from chitty import process
from chitty.stack.layout import START

Main = Callable[[], int]

_mains: dict[str, Main | None] = {}
"""The `main` of each module that was imported to be run; None where that failed: exec'ed, it says why."""


class Forking:
    """Supervisord's way to start its children, replaced by ours.

    Those that are forked in one turn of its loop begin together, when it has forked them all: a hundred that
    have begun leave it little time to fork the next one.

    Args:
        options: supervisord's.
        in_child: called first in every child.
    """

    def __init__(self, options: Any, in_child: Callable[[], None]) -> None:
        self._options = options
        self._in_child = in_child
        self._waits = False
        self._gate: tuple[int, int] | None = None
        self._wait = options.waitpid
        options.fork, options.execve, options.waitpid = self._fork, self._execve, self._open_and_wait

    def prepare(self, command: str, environment: Mapping[str, str] | None) -> None:
        """Get ready for the next child, which will run this; what it imports is imported once, by the first one."""
        argv = shlex.split(command)
        self._waits = _is_forked(argv, environment or {})
        if self._waits and argv[3] not in _mains:
            _mains[argv[3]] = _main_of(argv[3])
            # What the collector does not visit, it does not write to: those pages stay shared.
            gc.collect()
            gc.freeze()

    def _fork(self) -> int:
        if self._waits and self._gate is None:
            self._gate = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._in_child()
            self._begin(parent)
        return pid

    def _begin(self, parent: int) -> None:
        """Let go, in any child, of what is supervisord's alone; what it does before an exec takes a while."""
        os.setpgrp()  # a signal that it is sent goes to its group
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        process.end_with_parent(parent)
        if self._gate is not None:
            reading, writing = self._gate
            os.close(writing)
            if self._waits:
                os.read(reading, 1)  # ends when nobody can write any more
        # Supervisord closes every descriptor below minfds: only those that are open need it, not 4,096.
        self._options.minfds = 1 + max(int(path.name) for path in Path("/proc/self/fd").iterdir())

    def _open_and_wait(self) -> Any:
        """Look for children that ended, as supervisord does at the end of each turn."""
        if self._gate is not None:
            for descriptor in self._gate:
                os.close(descriptor)
            self._gate = None
        return self._wait()

    def _execve(self, filename: str, argv: list[str], environment: Mapping[str, str]) -> None:
        main = _mains.get(argv[3]) if _is_forked(argv, environment) else None
        if main is not None:
            _run(main, argv, environment)
        os.execve(filename, argv, environment)  # noqa: S606 - what supervisord does


def _main_of(module: str) -> Main | None:
    with contextlib.suppress(Exception):
        main: Main = importlib.import_module(f"{module}.__main__").main
        return main
    return None


def _is_forked(argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a program asks for a fork, and one of this very process would do."""
    return (
        environment.get(START) == "fork"
        and len(argv) > 3  # noqa: PLR2004 - python -P -m MODULE
        and list(argv[:3]) == sys.orig_argv[:3]
        and argv[2] == "-m"
        and environment.get("PYTHONUTF8") == str(sys.flags.utf8_mode)
    )


def _run(main: Main, argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Be the program, with everything set as an exec and an interpreter's start would have, and end as it."""
    gc.freeze()  # whatever supervisord held or dropped: its files' numbers are somebody else's now
    setproctitle(" ".join(argv))  # before the environment, for it finds its place beside the old one
    setthreadtitle(environment["SUPERVISOR_PROCESS_NAME"])
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in environment.items() if os.environ.get(name) != value})
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    sys.modules["__main__"] = sys.modules[main.__module__]
    sys.argv = [str(sys.modules[main.__module__].__file__), *argv[4:]]
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        code = _code(main)
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - as multiprocessing ends its forks
        atexit._run_exitfuncs()  # noqa: SLF001 - likewise
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
    finally:
        os._exit(code)  # never back into supervisord


def _code(main: Main) -> int:
    """Return what the interpreter would exit with, or less than 0 for the signal that it would end by."""
    try:
        sys.exit(main())
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
    except BaseException as error:  # noqa: BLE001 - nothing is above
        sys.excepthook(*sys.exc_info())
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 1
