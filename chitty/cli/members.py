"""Who takes part: join, leave, scale."""

import click

from chitty.cli.base import FAILED, Session, caller, example, with_session
from chitty.cli.outcome import tell_joined, tell_left
from chitty.cli.values import Name, once


@click.command(
    short_help="Let participants join.",
    epilog=example("chitty join alice", "chitty join alice zoe --human", "chitty join eve --bot mine:chatter"),
)
@click.argument("who", metavar="NAME...", nargs=-1, required=True, type=Name())
@click.option("--human", is_flag=True, help="It only says what it is told.")
@click.option("--bot", metavar="SPEC", default="", help="Run package.module:function as the bot.")
@with_session
def join(session: Session, *, who: tuple[str, ...], human: bool, bot: str) -> int:
    """Let participants join; return when all have joined, or ended."""
    from chitty.stack import membership
    from chitty.stack.plan import Wish

    if human and bot:
        raise click.UsageError("a participant is a human or a bot: give --human or --bot, not both")
    if bot and not all(bot.partition(":")[::2]):
        raise click.UsageError(f"{bot!r} is no bot: give package.module:function")
    wishes = [Wish(name, "human" if human else "bot", bot) for name in once(who)]
    return tell_joined(session, membership.join(session.stack(), wishes, caller()))


@click.command(short_help="Let participants leave.", epilog=example("chitty leave bob", "chitty leave --all"))
@click.argument("who", metavar="NAME...", nargs=-1, type=Name())
@click.option("--all", "everyone", is_flag=True, help="All participants.")
@with_session
def leave(session: Session, *, who: tuple[str, ...], everyone: bool) -> int:
    """Let participants leave in good order; one that has ended is forgotten."""
    from chitty.stack import leaving

    if everyone is bool(who):
        raise click.UsageError("give the names of those that are to leave, or --all")
    return tell_left(session, leaving.leave(session.stack(), None if everyone else list(who)))


@click.command(short_help="Let N participants run.", epilog=example("chitty scale 10"))
@click.argument("number", metavar="N", type=click.IntRange(min=0))
@with_session
def scale(session: Session, number: int) -> int:
    """Let N participants run: new ones join, or the newest bots leave, never humans."""
    from chitty.stack import membership

    stack = session.stack()
    outcome, left = membership.scale(stack, number, caller())
    code = max(tell_left(session, left), tell_joined(session, outcome))
    running = sum(member.runs for member in stack.members().present())
    if running > number:
        session.notice(f"{running} run: humans are not made to leave; `chitty leave NAME` does")
        return FAILED
    return code
