"""The commands: parse, call, print. The only place that prints errors and picks exit codes.

Commands import what they need when they run: most only control, and answer before gRPC could be imported.
"""

import os
import sys
from collections.abc import Sequence

import click

from chitty import ending, streams
from chitty.cli import calling
from chitty.cli.base import (
    DONE,
    EXISTS,
    FAILED,
    INTERRUPTED,
    NO_SUCH_PARTICIPANT,
    NOT_RUNNING,
    TIMED_OUT,
    UNKNOWN,
    USAGE,
    cli,
    fail,
)
from chitty.cli.certs import certs
from chitty.cli.evidence import check, diagram, report
from chitty.cli.faults import kill, pause, restart, unpause
from chitty.cli.lab import demo, run_scenario
from chitty.cli.looking import config, doctor, logs, status
from chitty.cli.measuring import bench
from chitty.cli.members import join, leave, scale
from chitty.cli.shell import completion
from chitty.cli.speaking import attach, chat, say
from chitty.cli.starting import down, up
from chitty.core import errors

__all__ = [
    "DONE",
    "EXISTS",
    "FAILED",
    "INTERRUPTED",
    "NOT_RUNNING",
    "NO_SUCH_PARTICIPANT",
    "TIMED_OUT",
    "UNKNOWN",
    "USAGE",
    "cli",
    "main",
    "run",
]

# As they are listed by `chitty --help`.
_VERBS: tuple[click.Command, ...] = (
    *(up, join, leave, scale),
    *(say, attach, chat),
    *(kill, pause, unpause, restart),
    *(logs, status),
    *(diagram, check, report),
    *(config, certs, doctor),
    down,
    *(run_scenario, demo, bench),
    completion,
)
for _verb in _VERBS:
    cli.add_command(_verb)

_EXIT_CODES: tuple[tuple[type[errors.ChittyError], int], ...] = (
    (errors.NotRunning, NOT_RUNNING),
    (errors.NoSuchParticipant, NO_SUCH_PARTICIPANT),
    (errors.AlreadyExists, EXISTS),
    (errors.TimedOut, TIMED_OUT),
    (errors.SettingsError, USAGE),
    (errors.InvalidArgument, USAGE),
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; everything that goes wrong is printed here."""
    try:
        result = cli.main(
            arguments, prog_name=calling.program.get(), complete_var="_CHITTY_COMPLETE", standalone_mode=False
        )
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        if isinstance(error.__cause__, ending.Killed):
            fail("interrupted again: killed at once what had not ended yet")
        return INTERRUPTED
    except errors.ChittyError as error:
        fail(str(error))
        return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), FAILED)
    except Exception as error:
        if os.environ.get("CHITTY_DEBUG"):
            raise
        return fail(_in_words(error))
    return result if isinstance(result, int) else DONE


def _in_words(error: Exception) -> str:
    if isinstance(error, streams.Unwritable):
        return str(error)
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        return f"cannot use {os.fsdecode(error.filename)!r}: {errors.cause(error)}"
    return f"{type(error).__name__}: {error}; with CHITTY_DEBUG=1 it says where"


def main() -> None:
    """Run the command line of this process."""
    streams.guard()
    calling.program.set(calling.typed())
    for command in (cli, *_VERBS):
        command.epilog = calling.examples_as_typed(command.epilog or "")
    try:
        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    streams.settle()
    sys.exit(code)
