"""What a participant says, and what it hears: say, attach, chat."""

import sys
from pathlib import Path

import click

from chitty.cli.base import DONE, Session, example, fail, with_session
from chitty.cli.values import Name


@click.command(
    short_help="Speak as a running participant.",
    context_settings={"ignore_unknown_options": True},
    epilog=example('chitty say bob "good morning"'),
)
@click.argument("name", type=Name(running=True))
@click.argument("text")
@with_session
def say(session: Session, name: str, text: str) -> int:
    """Speak as a running participant, verbatim; return with the receipt or the refusal."""
    from chitty.stack import say as speaking

    said = speaking.say(session.stack(), name, text)
    if said.refusal:
        return fail(f"refused: {said.refusal}")
    click.echo(f"said at Lamport time {said.lamport}, sequence {said.sequence}")
    return DONE


@click.command(
    short_help="Sit down at a running participant.",
    epilog=example("chitty attach alice", "printf 'hello\\nbye\\n' | chitty attach alice"),
)
@click.argument("name", type=Name(running=True))
@with_session
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


@click.command(epilog=example("chitty chat zoe", "chitty chat zoe --server 127.0.0.1:5051 --log /tmp/zoe.log"))
@click.argument("name", type=Name())
@click.option("--server", metavar="HOST:PORT", help="Where to join; otherwise the running stack's server.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Its log; otherwise NAME.log here.")
@with_session
def chat(session: Session, name: str, server: str | None, log: Path | None) -> int:
    """Join from this terminal, without supervision."""
    from chitty.stack import report

    address = server or report.address(session.stack().members())
    from chitty.client import chat as talking

    return talking.run(name, address, log or Path(f"{name}.log"))
