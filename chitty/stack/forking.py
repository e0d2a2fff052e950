"""Starting a program as a fork of supervisord, without exec: what was imported once is shared by all.

Runs inside supervisord. A program is forked when its environment asks for it and its command begins as
supervisord's own does: the same interpreter with the same options. Everything else is exec'ed, so that what
is written for supervisord means the same to one that does not know this. Knows no program: which module is to
run stands in the command. Nothing imported may start a thread, or use gRPC, before the fork.
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

from chitty.stack.layout import START

_entries: dict[str, Callable[[], int] | None] = {}
"""The `main` of each module that was imported to be run; None for one that failed, which says why when exec'ed."""


def install(options: Any, in_child: Callable[[], None]) -> None:
    """Let supervisord fork and start programs our way; `in_child` is called first in every child."""

    def fork() -> int:
        pid = os.fork()
        if pid == 0:
            in_child()
            _begin(options)
        return pid

    def execve(filename: str, argv: list[str], environment: Mapping[str, str]) -> None:
        main = _entries.get(argv[3]) if _is_forked(argv, environment) else None
        if main is not None:
            _run(main, argv, environment)
        os.execve(filename, argv, environment)  # noqa: S606 - what supervisord does

    options.fork = fork
    options.execve = execve


def prepare(command: str, environment: Mapping[str, str]) -> None:
    """Import what a program that is about to be forked will run, if no earlier one did."""
    argv = shlex.split(command)
    if not _is_forked(argv, environment) or argv[3] in _entries:
        return
    _entries[argv[3]] = None
    with contextlib.suppress(Exception):
        _entries[argv[3]] = importlib.import_module(f"{argv[3]}.__main__").main
    # What the collector does not visit, it does not write to: those pages stay shared.
    gc.collect()
    gc.freeze()


def _is_forked(argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a program asks for a fork, and one of this very process would do."""
    return (
        environment.get(START) == "fork"
        and len(argv) > 3  # noqa: PLR2004 - python -P -m MODULE
        and list(argv[:3]) == sys.orig_argv[:3]
        and argv[2] == "-m"
        and environment.get("PYTHONUTF8") == str(sys.flags.utf8_mode)
    )


def _begin(options: Any) -> None:
    """Let go, in any child, of what is supervisord's alone; what it does before an exec takes a while."""
    os.setpgrp()  # a signal that it is sent goes to its group
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    # Supervisord closes every descriptor below minfds: only those that are open need it, not 4,096.
    options.minfds = 1 + max(int(path.name) for path in Path("/proc/self/fd").iterdir())


def _run(main: Callable[[], int], argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
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
    finally:
        os._exit(code)  # never back into supervisord


def _code(main: Callable[[], int]) -> int:
    """Return what the interpreter would exit with."""
    try:
        sys.exit(main())
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - nothing is above
        sys.excepthook(*sys.exc_info())
    return 1
