"""Locks between processes: a file held with flock(2) for as long as its holder lives or says."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chitty.core.errors import NotRunning, StackError, TimedOut, cause


def is_held(path: Path) -> bool:
    """Tell whether somebody holds the lock; whoever asks does not keep another from asking."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def held(path: Path, wait: float, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock, waiting for others; `tell` is told once when it takes more than a second.

    Raises:
        TimedOut: it was not to be had within `wait` seconds.
        NotRunning: its directory is gone.
    """
    descriptor = _acquire(path, wait, tell)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(path: Path, wait: float, tell: Callable[[str], None] | None) -> int:
    start = time.monotonic()
    while (descriptor := _try(path)) is None:
        waited = time.monotonic() - start
        if waited > wait:
            raise TimedOut(f"another command has held {path} for {wait:g} s: let it finish, or end it")
        if tell is not None and waited > 1:
            tell("waiting for another command on this stack to finish")
            tell = None
        time.sleep(0.02)
    return descriptor


def _try(path: Path) -> int | None:
    """Take the lock if it is free; a lock whose file was removed meanwhile is nobody's."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise NotRunning(f"{path.parent} does not exist: `chitty up` makes a stack") from None
    except OSError as error:
        raise StackError(f"cannot lock {path}: {cause(error)}") from None
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    os.close(descriptor)
    return None
