"""How this command line was called, so that each command it recommends works where it is shown.

Texts everywhere say "`chitty down`". What is printed says `bin/chitty -C s down`, if that is how chitty was called.
"""

import os
import re
import shlex
import sys
from contextvars import ContextVar

PROGRAM = "chitty"

_VARIABLE = "CHITTY_PROGRAM"
"""By which bin/chitty says how it was called; Python knows only how bin/chitty called Python."""

_STACKLESS = frozenset({"bench", "certs", "completion", "demo", "run"})
"""Commands that use no stack, or one of their own: -C is of no use to them."""

program: ContextVar[str] = ContextVar("program", default=PROGRAM)
"""The words that call chitty, as the user typed them."""

directory: ContextVar[str] = ContextVar("directory", default="")
"""The stack's directory, if the user gave one with -C."""


def typed() -> str:
    """Return the words that the user typed to call chitty: `chitty`, `bin/chitty` or `python -m chitty`."""
    name = os.environ.pop(_VARIABLE, "") or sys.argv[0]
    if os.path.basename(name) == "__main__.py":  # noqa: PTH119 - quicker than pathlib, in every command
        return shlex.join(sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1])
    return PROGRAM if name == PROGRAM or _is_on_path(name) else shlex.quote(name)


def as_typed(text: str) -> str:
    """Return a text with the commands in it, in backquotes, as the user can type them here."""
    return _QUOTED.sub(_quoted, text)


def examples_as_typed(text: str) -> str:
    """Return examples of commands, without backquotes, as the user can type them here."""
    return _EXAMPLE.sub(lambda _: program.get(), text)


_QUOTED = re.compile(rf"`{PROGRAM}(?=[ `])(?: (?P<verb>[^ `]+))?")
_EXAMPLE = re.compile(rf"(?<![\w/-]){PROGRAM}(?= [a-z-])")


def _quoted(match: re.Match[str]) -> str:
    verb = match["verb"]
    words = program.get()
    if verb is None:
        return f"`{words}"
    if directory.get() and not verb.startswith("-") and verb not in _STACKLESS:
        words = f"{words} -C {shlex.quote(directory.get())}"
    return f"`{words} {verb}"


def _is_on_path(name: str) -> bool:
    for folder in os.get_exec_path():
        found = os.path.join(folder, PROGRAM)  # noqa: PTH118
        if os.access(found, os.X_OK):
            return os.path.exists(name) and os.path.samefile(found, name)  # noqa: PTH110, PTH121
    return False
