"""The commands: parse, call, print. The only place that prints errors and picks exit codes.

Commands import what they need when they run: most only control, and answer before gRPC could be imported.
"""

import io
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem, get_completion_class

from chitty import __version__
from chitty.core import errors, names

if TYPE_CHECKING:
    from chitty.lab.demo import Made
    from chitty.lab.run import Watch
    from chitty.lab.scenario import Scenario
    from chitty.stack.control import Stack
    from chitty.stack.membership import Caller, Left
    from chitty.stack.tail import Line
    from chitty.stack.waiting import Outcome
    from chitty.trace.verdict import Verdict

DONE, FAILED, USAGE, NOT_RUNNING, NO_SUCH_PARTICIPANT, EXISTS, TIMED_OUT, UNKNOWN = range(8)
INTERRUPTED = 130

_EXIT_CODES: tuple[tuple[type[errors.ChittyError], int], ...] = (
    (errors.NotRunning, NOT_RUNNING),
    (errors.NoSuchParticipant, NO_SUCH_PARTICIPANT),
    (errors.AlreadyExists, EXISTS),
    (errors.TimedOut, TIMED_OUT),
    (errors.SettingsError, USAGE),
    (errors.InvalidArgument, USAGE),
)

# As chitty.trace.diagram.Format and chitty.trace.axis.Axis have them, which only drawing imports.
_FORMATS = ("svg", "html", "mermaid", "shiviz", "perfetto", "png")
_AXES = ("lamport", "order", "wall")

_ALIASES = {"tail": "logs", "ps": "status", "stop": "down"}


class Commands(click.Group):
    """A group whose commands have aliases, and stay in the order in which they are written."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name or its alias."""
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the source."""
        return list(self.commands)


class Name(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """A participant's name, normalised; with `server` for the server's, where a command takes it."""

    name = "name"

    def __init__(self, *, server: bool = False, running: bool = False) -> None:
        self._server = server
        self._running = running

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name in NFC."""
        if self._server and names.fold(value) in {"server", "hub"}:  # the hub is what the logs call it
            return "server"
        try:
            return names.normalise(value)
        except errors.InvalidArgument as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names of the stack that begin so."""
        from chitty.stack import completion

        every = completion.targets if self._server else completion.known
        source = completion.running if self._running else every
        return [CompletionItem(name) for name in source(_directory(ctx), incomplete)]


class Clients(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """How many participants, or their names."""

    name = "N or a,b,c"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number, or a tuple of names."""
        if isinstance(value, int | tuple):
            return value
        if value.strip().isascii() and value.strip().isdigit():
            return int(value)
        found = tuple(Name().convert(part.strip(), param, ctx) for part in value.split(","))
        if len({names.fold(name) for name in found}) < len(found):
            self.fail(f"{value!r} names somebody twice", param, ctx)
        return found


class Signal(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """A signal by name, with or without SIG, or by number."""

    name = "signal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> signal.Signals:
        """Return the signal."""
        if isinstance(value, signal.Signals):
            return value
        try:
            if value.isdigit():
                return signal.Signals(int(value))
            return signal.Signals[f"SIG{value.upper().removeprefix('SIG')}"]
        except (KeyError, ValueError):
            self.fail(f"{value!r} is no signal: give one such as KILL, TERM or 9", param, ctx)


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
            click.echo(_printable(text), err=True)

    def colours(self, stream: Any) -> bool:
        """Tell whether a stream is to be coloured."""
        if self.color != "auto":
            return self.color == "always"
        return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and bool(stream.isatty())


def _example(*lines: str) -> str:
    """Return the epilog of a command's help; the mark keeps click from wrapping it."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


_session = click.make_pass_decorator(Session)

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_example(
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
    ctx.obj = Session(directory or ".chitty", quiet, color)


@cli.command(
    short_help="Start the stack, or what is missing of it.",
    epilog=_example("chitty up --clients 3", "chitty up --clients bob,carol --human carol -f"),
)
@click.option("--clients", type=Clients(), help="How many participants, or their names.")
@click.option("--human", "humans", type=Name(), multiple=True, help="One that only says what it is told.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Settings, as YAML.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of the server; 0 picks a free one.")
@click.option("-f", "--follow", is_flag=True, help="Stay and follow the logs; Ctrl-C then stops the stack.")
@click.option("--wait", type=click.FloatRange(min=0), help="Seconds until all have joined: 30, or more for many.")
@click.option("--fresh", is_flag=True, help="Archive logs and database of an earlier run first.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and start nothing.")
@_session
def up(
    session: Session,
    *,
    clients: int | tuple[str, ...] | None,
    humans: tuple[str, ...],
    config: Path | None,
    port: int | None,
    follow: bool,
    wait: float | None,
    fresh: bool,
    dry_run: bool,
) -> int:
    """Start the server and participants; on a running stack what is missing of them."""
    from chitty.stack.up import Request

    request = Request(clients, humans, config, port, fresh)
    if dry_run:
        return _dry_run(session, request)
    if follow:
        return _up_and_follow(session, request, wait)
    try:
        return _up(session, request, wait)
    except KeyboardInterrupt:
        session.notice("interrupted: what has been started goes on; `chitty down` stops it")
        raise


@cli.command(
    short_help="Let participants join.",
    epilog=_example("chitty join alice", "chitty join alice zoe --human", "chitty join eve --bot mine:chatter"),
)
@click.argument("who", metavar="NAME...", nargs=-1, required=True, type=Name())
@click.option("--human", is_flag=True, help="It only says what it is told.")
@click.option("--bot", metavar="SPEC", default="", help="Run package.module:function as the bot.")
@_session
def join(session: Session, *, who: tuple[str, ...], human: bool, bot: str) -> int:
    """Let participants join; return when all have joined, or ended."""
    from chitty.stack import membership
    from chitty.stack.plan import Wish

    if human and bot:
        raise click.UsageError("a participant is a human or a bot: give --human or --bot, not both")
    if bot and not all(bot.partition(":")[::2]):
        raise click.UsageError(f"{bot!r} is no bot: give package.module:function")
    wishes = [Wish(name, "human" if human else "bot", bot) for name in _once(who)]
    return _joined(session, membership.join(session.stack(), wishes, _caller()))


@cli.command(short_help="Let participants leave.", epilog=_example("chitty leave bob", "chitty leave --all"))
@click.argument("who", metavar="NAME...", nargs=-1, type=Name())
@click.option("--all", "everyone", is_flag=True, help="All participants.")
@_session
def leave(session: Session, *, who: tuple[str, ...], everyone: bool) -> int:
    """Let participants leave in good order; one that has ended is forgotten."""
    from chitty.stack import membership

    if everyone is bool(who):
        raise click.UsageError("give the names of those that are to leave, or --all")
    return _left(session, membership.leave(session.stack(), None if everyone else list(who)))


@cli.command(short_help="Let N participants run.", epilog=_example("chitty scale 10"))
@click.argument("number", metavar="N", type=click.IntRange(min=0))
@_session
def scale(session: Session, number: int) -> int:
    """Let N participants run: new ones join, or the newest bots leave, never humans."""
    from chitty.stack import membership

    stack = session.stack()
    outcome, left = membership.scale(stack, number, _caller())
    code = max(_left(session, left), _joined(session, outcome))
    running = sum(member.runs for member in stack.members().present())
    if running > number:
        session.notice(f"{running} run: humans are not made to leave; `chitty leave NAME` does")
        return FAILED
    return code


@cli.command(
    short_help="Speak as a running participant.",
    context_settings={"ignore_unknown_options": True},
    epilog=_example('chitty say bob "good morning"'),
)
@click.argument("name", type=Name(running=True))
@click.argument("text")
@_session
def say(session: Session, name: str, text: str) -> int:
    """Speak as a running participant, verbatim; return with the receipt or the refusal."""
    from chitty.stack import say as speaking

    said = speaking.say(session.stack(), name, text)
    if said.refusal:
        return _fail(f"refused: {said.refusal}")
    click.echo(f"said at Lamport time {said.lamport}, sequence {said.sequence}")
    return DONE


@cli.command(
    short_help="Sit down at a running participant.",
    epilog=_example("chitty attach alice", "printf 'hello\\nbye\\n' | chitty attach alice"),
)
@click.argument("name", type=Name(running=True))
@_session
def attach(session: Session, name: str) -> int:
    """Sit down at a running participant: its history first; Ctrl-] lets go."""
    from chitty.stack import say as speaking
    from chitty.stack.attach import Attached
    from chitty.stack.show import View

    stack = session.stack()
    member = speaking.able(stack, name)
    if sys.stdin.isatty():
        session.notice(f"attached to {member.name}: what you type is said; Ctrl-] lets go")
    Attached(stack, member, View(session.colours(sys.stdout)), sys.stdout).run()
    return DONE


@cli.command(epilog=_example("chitty chat zoe", "chitty chat zoe --server 127.0.0.1:5051 --log /tmp/zoe.log"))
@click.argument("name", type=Name())
@click.option("--server", metavar="HOST:PORT", help="Where to join; otherwise the running stack's server.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Its log; otherwise NAME.log here.")
@_session
def chat(session: Session, name: str, server: str | None, log: Path | None) -> int:
    """Join from this terminal, without supervision."""
    from chitty.stack import report

    address = server or report.address(session.stack().members())
    from chitty.client import chat as talking

    return talking.run(name, address, log or Path(f"{name}.log"))


@cli.command(
    short_help="Crash a process, or send it a signal.",
    epilog=_example("chitty kill bob", "chitty kill server", "chitty kill bob -s TERM"),
)
@click.argument("name", type=Name(server=True))
@click.option("-s", "--signal", "number", type=Signal(), default="KILL", show_default=True, help="The signal to send.")
@_session
def kill(session: Session, name: str, number: signal.Signals) -> None:
    """Crash a process. A participant stays down until restart or join; the server is started again."""
    from chitty.stack import faults

    ended = faults.kill(session.stack(), name, number)
    session.notice(f"{name} ended of {number.name}" if ended else f"sent {number.name} to {name}")


@cli.command(epilog=_example("chitty pause bob"))
@click.argument("name", type=Name(server=True))
@_session
def pause(session: Session, name: str) -> None:
    """Freeze a process (SIGSTOP) until unpause."""
    from chitty.stack import faults

    session.notice(f"{name} is paused" if faults.pause(session.stack(), name) else f"{name} is paused already")


@cli.command(epilog=_example("chitty unpause bob"))
@click.argument("name", type=Name(server=True))
@_session
def unpause(session: Session, name: str) -> None:
    """Let a paused process go on (SIGCONT)."""
    from chitty.stack import faults

    session.notice(f"{name} goes on" if faults.unpause(session.stack(), name) else f"{name} is not paused")


@cli.command(
    short_help="Stop a process, if it runs, and start it.",
    epilog=_example("chitty restart bob", "chitty restart server"),
)
@click.argument("name", type=Name(server=True))
@click.option("--wait", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds it may take.")
@_session
def restart(session: Session, name: str, wait: float) -> int:
    """Stop a process in good order, if it runs, and start it anew."""
    from chitty.stack import faults, report

    outcome = faults.restart(session.stack(), name, wait)
    if name != "server":
        return _joined(session, outcome)
    if outcome.members is not None:
        session.notice(f"the server serves at {report.address(outcome.members)}")
    return DONE


@cli.command(
    short_help="Print the combined logs; alias: tail.",
    epilog=_example("chitty logs -f", "chitty logs bob server -n 20 --since 5m", "chitty logs --grep hello --json"),
)
@click.argument("who", metavar="[NAME...]", nargs=-1, type=Name(server=True))
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "number", type=click.IntRange(min=0), help="Only the last N lines.")
@click.option("--since", metavar="T", help="From 10s, 5m, 2h, 1d ago, 14:30, or an ISO time on.")
@click.option("--grep", metavar="RE", help="Only lines that match.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@_session
def logs(
    session: Session,
    *,
    who: tuple[str, ...],
    follow: bool,
    number: int | None,
    since: str | None,
    grep: str | None,
    as_json: bool,
) -> int:
    """Print the logs of all processes as one, in order of wall time. Alias: tail."""
    from chitty.stack import selection, tail

    stack = session.stack()
    chosen = selection.slugs(stack.layout, who, follow=follow)
    wanted = selection.wanted(since, grep)
    goes_on = _reader_stays if follow else None
    selection.allow_open_files()
    _print_lines(session, stack, tail.stream(stack.layout.logs, chosen, wanted, number, goes_on), as_json=as_json)
    return DONE


@cli.command(short_help="Tell who runs, and how; alias: ps.", epilog=_example("chitty status"))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@_session
def status(session: Session, *, as_json: bool) -> int:
    """Tell who runs, has joined, is paused, left or crashed, and why. Alias: ps."""
    from chitty.stack import report

    stack = session.stack()
    try:
        now = stack.members()
    except errors.NotRunning:
        if as_json:
            click.echo(report.as_json(stack, None))
        raise
    colour = session.colours(sys.stdout)
    click.echo(report.as_json(stack, now) if as_json else report.as_table(stack, now, colour=colour), color=colour)
    return DONE


@cli.command(
    epilog=_example(
        "chitty diagram -o run.html", "chitty diagram docs/demo --participant bob --from 10 --to 40 > part.svg"
    )
)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="`-` is stdout.")
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="Otherwise what the file's ending says; svg.")
@click.option("--axis", type=click.Choice(_AXES), default="lamport", show_default=True, help="What runs down.")
@click.option("--from", "first", metavar="L", type=click.IntRange(min=0), help="Lamport time to begin with.")
@click.option("--to", "last", metavar="L", type=click.IntRange(min=0), help="Lamport time to end with.")
@click.option("--participant", "who", type=Name(running=False), multiple=True, help="Only this one; may be repeated.")
@_session
def diagram(
    session: Session,
    *,
    folder: Path | None,
    output: Path | None,
    kind: str | None,
    axis: str,
    first: int | None,
    last: int | None,
    who: tuple[str, ...],
) -> int:
    """Draw a run from its logs: a space-time diagram, or what another program draws.

    DIR is a stack's directory, or any folder of logs; otherwise the stack of -C.
    """
    from chitty.trace import diagram as drawing
    from chitty.trace.axis import Axis
    from chitty.trace.selection import Wish

    if first is not None and last is not None and first > last:
        raise click.UsageError(f"--from {first} is later than --to {last}")
    piped = output is not None and str(output) == "-"
    named = drawing.format_of(output) if output is not None and not piped and kind is None else drawing.Format.SVG
    wanted = drawing.Format(kind) if kind is not None else named
    wish = Wish(first, last, who)
    made = drawing.draw(folder or Path(session.directory), wanted, Axis(axis), wish, alive=_lives)
    for warning in made.warnings:
        session.notice(warning)
    if output is None and sys.stdout.isatty():
        output = Path(f"diagram{drawing.ending_of(wanted)}")
    if output is None or piped:
        sys.stdout.buffer.write(made.data)
        return DONE
    drawing.save(made, output)
    session.notice(f"drawn: {output}")
    return DONE


@cli.command(
    short_help="Prove from the logs that the run kept its promises.",
    epilog=_example("chitty check", "chitty check docs/demo --json", "chitty check --watch"),
)
@click.argument("where", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--watch", is_flag=True, help="Follow a running stack, and say at once when a property breaks.")
@_session
def check(session: Session, *, where: Path | None, as_json: bool, watch: bool) -> int:
    """Judge a run by its logs alone: those of a stack, running or long gone, or of any folder of log files.

    For each property: held, violated, not exercised, or unknown where evidence is missing. Exit code 0 when all
    that was exercised held, 1 when something was violated, 7 when that cannot be known.
    """
    from chitty import process
    from chitty.trace import check as checking
    from chitty.trace import show
    from chitty.trace.watch import SETTLE, now_less

    folder = where or Path(session.directory)
    colour = session.colours(sys.stdout)
    runs = _stack_at(session, folder).supervisor.answers()
    if watch:
        verdict = _watched(session, folder, as_json=as_json)
    elif runs:
        until = now_less(0)
        time.sleep(SETTLE)  # what was written by then is in the logs by now
        verdict = checking.check(folder, until=until, alive=process.alive)
    else:
        verdict = checking.check(folder)
    click.echo(show.as_json(verdict) if as_json else show.as_text(verdict, colour=colour), color=colour)
    return {"valid": DONE, "invalid": FAILED, "unknown": UNKNOWN}[verdict.judgement]


@cli.command(
    short_help="Typeset a run as a PDF, with its logs as evidence.",
    epilog=_example("chitty report", "chitty report docs/demo -o demo.pdf --author Ada --author Ben"),
)
@click.argument("where", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "output",
    metavar="FILE",
    default="report.pdf",
    show_default=True,
    type=click.Path(path_type=Path),
    help="PDF.",
)
@click.option("--title", default="Chitty-Chat", show_default=True, help="On the first page.")
@click.option("--author", "authors", multiple=True, help="On the first page; may be repeated.")
@click.option("--repo", metavar="URL", default="", help="Where the source code is.")
@click.option("--fonts", metavar="DIR", type=_FOLDER, help="Fonts for scripts that the built-in ones have not.")
@_session
def report(
    session: Session,
    *,
    where: Path | None,
    output: Path,
    title: str,
    authors: tuple[str, ...],
    repo: str,
    fonts: Path | None,
) -> int:
    """Typeset a report on a run: design, traced calls, verdict, requirements, and all its logs.

    DIR is a stack's directory, or any folder of logs; otherwise the stack of -C. The same logs give the same bytes.
    They are never cut; a line of them takes about 50 kB of memory.

    Needs typst: pip install 'chitty-chat[report]'.
    """
    from chitty import process
    from chitty.trace import report as reporting
    from chitty.trace.watch import SETTLE, now_less

    folder = where or Path(session.directory)
    cover = reporting.Cover(title, authors, repo)
    if _stack_at(session, folder).supervisor.answers():
        until = now_less(0)
        time.sleep(SETTLE)  # what was written by then is in the logs by now
        made = reporting.write(folder, output, cover, until=until, alive=process.alive, fonts=fonts)
    else:
        made = reporting.write(folder, output, cover, fonts=fonts)
    for warning in made.warnings:
        session.notice(warning)
    session.notice(f"typeset: {output}")
    return DONE


@cli.command(short_help="Print the settings of the stack.", epilog=_example("chitty config > mine.yaml"))
@_session
def config(session: Session) -> int:
    """Print the settings that the stack was started with, or else the default ones."""
    from chitty import resources

    path = session.stack().layout.settings
    if not path.exists():
        session.notice(f"no stack has been started in {session.directory}: these are the default settings")
        path = resources.path("conf/chitty.yaml")
    click.echo(path.read_text(encoding="utf-8"), nl=False)
    return DONE


@cli.command(short_help="Look for what keeps the stack from working.", epilog=_example("chitty doctor"))
@_session
def doctor(session: Session) -> int:
    """Look for what keeps the stack from working, and say what to do."""
    from chitty.stack import doctor as practice

    code = DONE
    for finding in practice.examine(session.stack()):
        click.echo(_printable(f"{'ok' if finding.well else '!!'}  {finding.text}"))
        code = code if finding.well else FAILED
    return code


@cli.command(short_help="Stop the stack; alias: stop.", epilog=_example("chitty down", "chitty down --purge"))
@click.option("--purge", is_flag=True, help="Remove its directory as well, logs and all.")
@_session
def down(session: Session, *, purge: bool) -> int:
    """Stop the participants, the server and supervisord. Alias: stop."""
    return _down(session, session.stack(), purge=purge)


@cli.command("run", epilog=_example("chitty run crash", "chitty run churn --seed 7 -o churn", "chitty run mine.yaml"))
@click.argument("file")
@click.option("--seed", type=click.IntRange(min=0), help="Of what is left to chance: the same seed, the same steps.")
@click.option("-o", "directory", metavar="DIR", type=_FOLDER, help="Of its stack; otherwise a temporary one.")
@click.option("--keep", is_flag=True, help="Leave the stack running afterwards.")
@_session
def run_scenario(session: Session, *, file: str, seed: int | None, directory: Path | None, keep: bool) -> int:
    """Play a scenario on a fresh stack, and take that down.

    FILE is YAML, or the name of a scenario that comes with Chitty-Chat, such as demo, churn, crash or slow.
    """
    from chitty.lab import run as playing
    from chitty.lab import scenario

    _forbid_other_stack()
    found = scenario.read(scenario.find(file))
    session.notice(found.title)
    chosen = _seed(session, found, seed)
    _interruptible()
    with playing.own_stack(directory, session.notice, keep=keep) as stack:
        playing.play(stack, found, chosen, _caller(), _steps(session))
    session.notice("all went as the scenario says")
    return DONE


@cli.command(epilog=_example("chitty demo", "chitty demo -o docs/demo", "chitty demo --seed 7 -o churn"))
@click.option("-o", "directory", metavar="DIR", type=_FOLDER, default="demo", show_default=True, help="For all of it.")
@click.option("--seed", type=click.IntRange(min=0), help="Play twenty who come and go by chance instead.")
@_session
def demo(session: Session, *, directory: Path, seed: int | None) -> int:
    """Play the demo, keep its logs, and have them checked, drawn and reported."""
    from chitty.lab import demo as demonstration
    from chitty.lab import scenario

    _forbid_other_stack()
    found = scenario.read(scenario.find("demo" if seed is None else "churn"))
    _interruptible()
    session.notice(found.title)
    demonstration.record(directory, found, seed or 0, _caller(), _steps(session), session.notice)
    click.echo(f"logs: {directory / 'logs'}")
    codes = {_told(made) for made in demonstration.produce(directory)}
    return FAILED if FAILED in codes else max(codes)


@cli.command(
    short_help="Print the completion script of a shell.",
    epilog=_example(
        'bash: eval "$(chitty completion bash)"',
        'zsh:  eval "$(chitty completion zsh)"',
        "fish: chitty completion fish | source",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the script that lets a shell complete commands, options and names."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "chitty", "_CHITTY_COMPLETE").source())
    return DONE


def _stack_at(session: Session, directory: Path) -> "Stack":
    from chitty.stack.control import Stack
    from chitty.stack.layout import Layout

    return Stack(Layout.of(directory), session.notice)


def _watched(session: Session, folder: Path, *, as_json: bool) -> "Verdict":
    """Follow a stack and tell what breaks, until it stops or somebody interrupts; return the last verdict."""
    from chitty import process
    from chitty.trace import show
    from chitty.trace.watch import Watch

    following = Watch(folder, process.alive)
    stack = _stack_at(session, folder)
    names_ = {judge.id: judge.name for judge in following.checker.properties}
    colour = session.colours(sys.stderr if as_json else sys.stdout)
    session.notice("watching: nothing is said while every property holds; Ctrl-C ends it with the verdict")
    try:
        for broken in following.follow(lambda: _reader_stays() and stack.supervisor.answers()):
            for violation in broken:
                line = show.breach(violation, names_[violation.property], colour=colour)
                click.echo(line, err=as_json, color=colour)
    except KeyboardInterrupt:
        following.look()
    finally:
        following.close()
    return following.verdict


def _up(session: Session, request: Any, wait: float | None) -> int:
    from chitty.stack import progress, report
    from chitty.stack.up import up as start

    with progress.shown(wanted=not session.quiet) as watch:
        outcome = start(session.stack(), request, _caller(), wait, watch)
    if outcome.members is not None and outcome.members.server.address:
        session.notice(report.summary(outcome.members))
    return _judged(outcome)


def _up_and_follow(session: Session, request: Any, wait: float | None) -> int:
    """Start, follow, and stop when interrupted, by TERM or a hangup too: no stack is left behind."""
    from chitty.stack import tail
    from chitty.stack.layout import Layout

    _interruptible()
    folder = Layout.of(session.directory).logs
    follower = tail.Follower(folder, None, tail.Filter(), at_end=True)
    stack = session.stack()
    try:
        code = _up(session, request, wait)
        _print_lines(session, stack, follower.follow(lambda: _reader_stays() and stack.supervisor.answers()))
    except KeyboardInterrupt:
        session.notice("stopping")
        _down(session, stack, purge=False)
        raise
    finally:
        _print_lines(session, stack, [follower.rest()])
    return code


def _dry_run(session: Session, request: Any) -> int:
    from chitty.stack import up as sequence
    from chitty.stack.layout import Layout, detour

    told = sequence.effective(request)
    directory = Layout.of(session.directory).directory
    for file in sequence.files(sequence.wishes(request, told), told, _caller(), detour(directory)):
        click.echo(f"==> {directory / file.path}\n{file.text}")
    return DONE


def _down(session: Session, stack: "Stack", *, purge: bool) -> int:
    from chitty.stack.down import down as stop

    session.notice("stopped" if stop(stack, purge=purge) else f"no stack runs in {stack.layout.directory}")
    return DONE


def _print_lines(session: Session, stack: "Stack", batches: Iterable[list["Line"]], *, as_json: bool = False) -> None:
    from chitty.stack import members, show

    view = show.View(session.colours(sys.stdout))
    view.widen([str(told["name"]) for _, told in members.clients(stack.layout)])
    render: Callable[[Line], str] = show.as_json if as_json else view.render
    for batch in batches:
        sys.stdout.write("".join(f"{render(line)}\n" for line in batch))
        sys.stdout.flush()


def _joined(session: Session, outcome: "Outcome") -> int:
    for member in outcome.joined:
        session.notice(f"{member.name} joined{'' if member.runs else ', and has left by itself'}")
    return _judged(outcome)


def _judged(outcome: "Outcome") -> int:
    """Say who has not joined and why, and return the exit code for it."""
    from chitty.stack import waiting

    if outcome.waiting and outcome.members is not None and outcome.members.server.failed:
        return _fail(f"the server does not serve: {outcome.members.server.failed}")
    for member in outcome.failed + outcome.waiting:
        _fail(waiting.why(member))
    return FAILED if outcome.failed else TIMED_OUT if outcome.waiting else DONE


def _left(session: Session, left: "Left") -> int:
    for name in left.left:
        session.notice(f"{name} left")
    for name in left.removed:
        session.notice(f"{name} had ended before: forgotten")
    for name in left.lost:
        _fail(f"{name} ended without a receipt of its leave")
    return FAILED if left.lost else DONE


def _steps(session: Session) -> "Watch":
    from chitty.lab import progress

    return progress.Silence() if session.quiet else progress.Lines(sys.stderr, colour=session.colours(sys.stderr))


def _seed(session: Session, found: "Scenario", seed: int | None) -> int:
    """Return the seed given, or one by chance that is told, so that the run can be played again."""
    if not found.by_chance:
        return 0
    chosen = int.from_bytes(os.urandom(3)) if seed is None else seed
    session.notice(f"seed {chosen}: with `--seed {chosen}` the steps are the same")
    return chosen


def _told(made: "Made") -> int:
    """Say what a stage of a demo made, and return the exit code for it."""
    codes = {"done": DONE, "absent": DONE, "unknown": UNKNOWN}
    click.echo(_printable(f"{made.name}: {made.said}"))
    return codes.get(made.outcome, FAILED)


def _forbid_other_stack() -> None:
    """Refuse -C where it would be ignored."""
    root = click.get_current_context().find_root()
    if root.get_parameter_source("directory") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("a scenario has a stack of its own: name its directory with -o, after the command")


def _interruptible() -> None:
    """Let TERM and a hangup interrupt as Ctrl-C does, so that no stack is left behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _caller() -> "Caller":
    from chitty.stack.membership import Caller

    return Caller(sys.executable, (str(Path.cwd()),))


def _once(found: Sequence[str]) -> list[str]:
    return list({names.fold(name): name for name in found}.values())


def _directory(ctx: click.Context) -> str:
    return str(ctx.find_root().params.get("directory") or os.environ.get("CHITTY_DIR") or ".chitty")


def _lives(pid: int) -> bool:
    """Tell whether a process of Chitty-Chat has this pid now; pids are used again by others."""
    try:
        return b"chitty" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _reader_stays() -> bool:
    """Tell whether somebody still reads standard output: a pipe says so although nothing is written."""
    watched = select.poll()
    watched.register(sys.stdout.fileno(), 0)
    return not any(event & select.POLLERR for _, event in watched.poll(0))


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _printable(text: str) -> str:
    from chitty.journal import escape

    return "\n".join(escape(line) for line in text.split("\n"))


def _fail(text: str) -> int:
    click.echo(f"chitty: {_printable(text)}", err=True)
    return FAILED


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; everything that goes wrong is printed here."""
    try:
        result = cli.main(arguments, prog_name="chitty", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except errors.ChittyError as error:
        _fail(str(error))
        return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), FAILED)
    except BrokenPipeError:
        # Nobody reads any more; nor may the interpreter try to flush what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if os.environ.get("CHITTY_DEBUG"):
            raise
        return _fail(f"{type(error).__name__}: {error}; with CHITTY_DEBUG=1 it says where")
    return result if isinstance(result, int) else DONE


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal of another encoding is no reason to fail
    try:
        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
