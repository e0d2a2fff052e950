"""The stack as a whole: up, down."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chitty import streams
from chitty.cli.base import DONE, Session, caller, example, with_session
from chitty.cli.looking import print_lines
from chitty.cli.outcome import judge
from chitty.cli.values import Clients, Name

if TYPE_CHECKING:
    from chitty.stack.control import Stack


@click.command(
    short_help="Start the stack, or what is missing of it.",
    epilog=example("chitty up --clients 3", "chitty up --clients bob,carol --human carol -f"),
)
@click.option("--clients", type=Clients(), help="How many participants, or their names.")
@click.option("--human", "humans", type=Name(), multiple=True, help="One that only says what it is told.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Settings, as YAML.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of the server; 0 picks a free one.")
@click.option("-f", "--follow", is_flag=True, help="Stay and follow the logs; the stack ends with it.")
@click.option("--wait", type=click.FloatRange(min=0), help="Seconds until all have joined: 30, or more for many.")
@click.option("--fresh", is_flag=True, help="Archive logs and database of an earlier run first.")
@click.option("--insecure", is_flag=True, help="Listen beyond the loopback whatever guards the way in.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and start nothing.")
@with_session
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
    insecure: bool,
    dry_run: bool,
) -> int:
    """Start the server and participants; on a running stack what is missing of them.

    With -f, the stack is stopped when the command ends, whatever ends it: Ctrl-C, SIGTERM, a closed terminal, or a
    reader of its output that goes away. A second Ctrl-C kills what has not stopped yet.
    """
    from chitty.stack.up import Request

    request = Request(clients, humans, config, port, fresh, insecure)
    if dry_run:
        return _dry_run(session, request)
    if follow:
        return _up_and_follow(session, request, wait)
    try:
        return _up(session, session.stack(), request, wait)
    except KeyboardInterrupt:
        session.notice("interrupted: what has been started goes on; `chitty down` stops it")
        raise


@click.command(short_help="Stop the stack; alias: stop.", epilog=example("chitty down", "chitty down --purge"))
@click.option("--purge", is_flag=True, help="Remove its directory as well, logs and all.")
@with_session
def down(session: Session, *, purge: bool) -> int:
    """Stop the participants, the server and supervisord. Ctrl-C kills what has not stopped yet. Alias: stop."""
    from chitty.stack import ending
    from chitty.stack.down import down as stop

    stack = session.stack()
    ran = False

    def work() -> None:
        nonlocal ran
        ran = stop(stack, purge=purge)

    ending.afterwards(stack, work, asked=True).do()
    session.notice("stopped" if ran else f"no stack runs in {stack.layout.directory}")
    return DONE


def _up(session: Session, stack: "Stack", request: Any, wait: float | None) -> int:
    from chitty.stack import progress, report
    from chitty.stack.up import up as start

    with progress.shown(wanted=not session.quiet) as watch:
        outcome = start(stack, request, caller(), wait, watch)
    if outcome.members is not None and outcome.members.server.address:
        session.notice(report.summary(outcome.members))
    return judge(outcome)


def _up_and_follow(session: Session, request: Any, wait: float | None) -> int:
    """Start and follow; the stack ends with that, whatever ends it."""
    from chitty.process import Life
    from chitty.stack import ending, tail

    stack = there = session.stack()
    follower = tail.Follower(stack.layout.logs, None, tail.Filter(), at_end=True)
    ran = stack.running()

    def stop() -> None:
        own = stack.own()
        if own is not None and own.lasts():
            session.notice("stopping" if streams.reader_stays() else "nobody reads the logs any more: stopping")
            ending.end(stack)

    def goes_on() -> bool:
        nonlocal there
        if (now := there.present()) is not there:
            session.notice(f"the stack was moved to {now.layout.directory}")
            follower.move(now.layout.logs)
            there = now
        return streams.reader_stays() and own.lasts()

    try:
        with ending.afterwards(stack, stop):
            try:
                code = _up(session, stack, request, wait)
            except KeyboardInterrupt:  # after a failure, what ran before is not this command's
                if ran is not None and stack.own() is None:
                    stack.adopt(ran)
                raise
            own = stack.own() or Life.of(stack.members().supervisor)
            stack.adopt(own)
            print_lines(session, stack, follower.follow(goes_on))
    finally:
        print_lines(session, there, [follower.rest()])
    return code


def _dry_run(session: Session, request: Any) -> int:
    from chitty.stack import up as sequence
    from chitty.stack.layout import Layout, detour

    told = sequence.effective(request)
    directory = Layout.of(session.directory).directory
    for file in sequence.files(sequence.wishes(request, told), told, caller(), detour(directory)):
        click.echo(f"==> {directory / file.path}\n{file.text}")
    return DONE
