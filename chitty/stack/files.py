"""Files written whole or not at all, so that no reader, supervisord least of all, sees half of one."""

import contextlib
import os
from pathlib import Path

from chitty.core.errors import StackError, cause


def write(path: Path, text: str) -> None:
    """Write a file by way of a dotfile beside it, readable by its owner only.

    Raises:
        StackError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.touch(mode=0o600)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise StackError(f"cannot write {path}: {cause(error)}") from None
