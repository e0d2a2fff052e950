"""What goes wrong on purpose, and is put right: kill, pause, unpause, restart."""

from typing import TYPE_CHECKING

import click

from chitty.cli.base import DONE, Session, example, with_session
from chitty.cli.outcome import tell_joined
from chitty.cli.values import Name, Signal

if TYPE_CHECKING:
    import signal


@click.command(
    short_help="Crash a process, or send it a signal.",
    epilog=example("chitty kill bob", "chitty kill server", "chitty kill bob -s TERM"),
)
@click.argument("name", type=Name(server=True))
@click.option("-s", "--signal", "number", type=Signal(), default="KILL", show_default=True, help="The signal to send.")
@with_session
def kill(session: Session, name: str, number: "signal.Signals") -> None:
    """Crash a process. A participant stays down until restart or join; the server is started again."""
    from chitty.stack import faults

    ended = faults.kill(session.stack(), name, number)
    session.notice(f"{name} ended of {number.name}" if ended else f"sent {number.name} to {name}")


@click.command(epilog=example("chitty pause bob"))
@click.argument("name", type=Name(server=True))
@with_session
def pause(session: Session, name: str) -> None:
    """Freeze a process (SIGSTOP) until unpause."""
    from chitty.stack import faults

    session.notice(f"{name} is paused" if faults.pause(session.stack(), name) else f"{name} is paused already")


@click.command(epilog=example("chitty unpause bob"))
@click.argument("name", type=Name(server=True))
@with_session
def unpause(session: Session, name: str) -> None:
    """Let a paused process go on (SIGCONT)."""
    from chitty.stack import faults

    session.notice(f"{name} goes on" if faults.unpause(session.stack(), name) else f"{name} is not paused")


@click.command(
    short_help="Stop a process, if it runs, and start it.",
    epilog=example("chitty restart bob", "chitty restart server"),
)
@click.argument("name", type=Name(server=True))
@click.option("--wait", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds it may take.")
@with_session
def restart(session: Session, name: str, wait: float) -> int:
    """Stop a process in good order, if it runs, and start it anew."""
    from chitty.stack import faults, report

    outcome = faults.restart(session.stack(), name, wait)
    if name != "server":
        return tell_joined(session, outcome)
    if outcome.members is not None:
        session.notice(f"the server serves at {report.address(outcome.members)}")
    return DONE
