"""How the stack is, and what it has logged: logs, status, config, doctor."""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from chitty import streams
from chitty.cli import calling
from chitty.cli.base import DONE, FAILED, Session, example, printable, with_session
from chitty.cli.values import Name
from chitty.core import errors

if TYPE_CHECKING:
    from chitty.stack.control import Stack
    from chitty.stack.tail import Line


@click.command(
    short_help="Print the combined logs; alias: tail.",
    epilog=example("chitty logs -f", "chitty logs bob server -n 20 --since 5m", "chitty logs --grep hello --json"),
)
@click.argument("who", metavar="[NAME...]", nargs=-1, type=Name(server=True))
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "number", type=click.IntRange(min=0), help="Only the last N lines.")
@click.option("--since", metavar="T", help="From 10s, 5m, 2h, 1d ago, 14:30, or an ISO time on.")
@click.option("--grep", metavar="RE", help="Only lines that match.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_session
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
    goes_on = streams.reader_stays if follow else None
    selection.allow_open_files()
    if follow and not stack.layout.logs.is_dir():
        session.notice(f"there are no logs in {stack.layout.directory} yet: waiting for a stack there")
    print_lines(session, stack, tail.stream(stack.layout.logs, chosen, wanted, number, goes_on), as_json=as_json)
    return DONE


@click.command(short_help="Tell who runs, and how; alias: ps.", epilog=example("chitty status"))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_session
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
    told = report.as_json(stack, now) if as_json else calling.as_typed(report.as_table(stack, now, colour=colour))
    click.echo(told, color=colour)
    return DONE


@click.command(short_help="Print the settings of the stack.", epilog=example("chitty config > mine.yaml"))
@with_session
def config(session: Session) -> int:
    """Print the settings that the stack was started with, or else the default ones."""
    from chitty import resources

    path = session.stack().layout.settings
    if not path.exists():
        session.notice(f"no stack has been started in {session.directory}: these are the default settings")
        path = resources.path("conf/chitty.yaml")
    click.echo(path.read_text(encoding="utf-8"), nl=False)
    return DONE


@click.command(short_help="Look for what keeps the stack from working.", epilog=example("chitty doctor"))
@with_session
def doctor(session: Session) -> int:
    """Look for what keeps the stack from working, and say what to do."""
    from chitty.stack import doctor as practice

    code = DONE
    for finding in practice.examine(session.stack()):
        click.echo(printable(f"{'ok' if finding.well else '!!'}  {finding.text}"))
        code = code if finding.well else FAILED
    return code


def print_lines(session: Session, stack: "Stack", batches: Iterable[list["Line"]], *, as_json: bool = False) -> None:
    """Print lines of the logs as they come, batch by batch, for as long as somebody reads them."""
    from chitty.stack import members, show

    view = show.View(session.colours(sys.stdout))
    view.widen([str(told["name"]) for _, told in members.clients(stack.layout)])
    render: Callable[[Line], str] = show.as_json if as_json else view.render
    for batch in batches:
        if not streams.reader_stays():
            return
        sys.stdout.write("".join(f"{render(line)}\n" for line in batch))
        sys.stdout.flush()
