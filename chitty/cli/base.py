"""What every command is built on: the group, its options, exit codes, and how the person is spoken to.

It knows no command.
"""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chitty import __version__
from chitty.cli import calling
from chitty.core.errors import StackError, cause

if TYPE_CHECKING:
    from chitty.stack.control import Stack
    from chitty.stack.membership import Caller

DONE, FAILED, USAGE, NOT_RUNNING, NO_SUCH_PARTICIPANT, EXISTS, TIMED_OUT, UNKNOWN = range(8)
INTERRUPTED = 130

FOLDER = click.Path(file_okay=False, path_type=Path)

_ALIASES = {"tail": "logs", "ps": "status", "stop": "down"}


class Commands(click.Group):
    """A group whose commands have aliases, and stay in the order in which they are added."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name or its alias."""
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        Raises:
            StackError: a pipe broke, which is none of the standard streams. click would exit without a word.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise StackError(f"what chitty wrote to has gone: {cause(error)}") from error

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of their addition."""
        return list(self.commands)


@dataclass(frozen=True, slots=True)
class Session:
    """What every command is given: the stack's directory, and how to speak to the person."""

    directory: str
    quiet: bool
    color: str

    def stack(self) -> "Stack":
        """Return the stack of the directory, whether or not it runs."""
        from chitty.stack.control import Stack
        from chitty.stack.layout import Layout

        return Stack(Layout.of(self.directory), self.notice)

    def notice(self, text: str) -> None:
        """Say something that is no data."""
        if not self.quiet:
            click.echo(printable(text), err=True)

    def colours(self, stream: Any) -> bool:
        """Tell whether a stream is to be coloured."""
        if self.color != "auto":
            return self.color == "always"
        return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and bool(stream.isatty())


def example(*lines: str) -> str:
    """Return the epilog of a command's help; the mark keeps click from wrapping it."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


with_session = click.make_pass_decorator(Session)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example(
        "chitty up --clients 3", "chitty join alice", "chitty say alice hello", "chitty logs", "chitty down"
    ),
)
@click.option(
    "-C",
    "directory",
    envvar="CHITTY_DIR",
    default=".chitty",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The stack's directory; also CHITTY_DIR.",
)
@click.option("-q", "--quiet", is_flag=True, help="No notices, only data and errors.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colour the output.")
@click.version_option(__version__, prog_name="chitty")
@click.pass_context
def cli(ctx: click.Context, *, directory: str, quiet: bool, color: str) -> None:
    """A chat with logical time, and the laboratory around it.

    A stack is a server and its participants under supervisord, in one directory.
    """
    if not Path(directory).is_absolute() and ctx.invoked_subcommand != "completion":
        _check_current_directory()
    ctx.obj = Session(directory or ".chitty", quiet, color)
    given = ctx.get_parameter_source("directory") is click.core.ParameterSource.COMMANDLINE
    calling.directory.set(directory if given else "")


def _check_current_directory() -> None:
    """Refuse to look for the stack from a directory that leads nowhere.

    Raises:
        StackError: the current directory was removed, or this account may not enter it.
    """
    remedy = "change to another one with `cd`, or name the stack's directory by an absolute path with -C"
    try:
        path = Path.cwd()
    except FileNotFoundError:
        raise StackError(f"the current directory was removed: {remedy}") from None
    if not os.access(".", os.X_OK):
        raise StackError(f"this account may not enter the current directory, {path}: {remedy}")


def caller() -> "Caller":
    """Return who calls: this Python, and where bots are looked for: the directory of the call, then PYTHONPATH."""
    from chitty.stack.membership import Caller

    searched = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    with contextlib.suppress(FileNotFoundError):  # it was removed
        searched.insert(0, str(Path.cwd()))
    return Caller(sys.executable, tuple(dict.fromkeys(searched)))


def printable(text: str) -> str:
    """Return a text for people: commands as they are typed here, and what would steer a terminal escaped."""
    from chitty.journal import escape

    return "\n".join(escape(line) for line in calling.as_typed(text).split("\n"))


def fail(text: str) -> int:
    """Print one error, and return the exit code for it."""
    click.echo(f"chitty: {printable(text)}", err=True)
    return FAILED
