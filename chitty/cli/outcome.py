"""What is said of those that have joined or left, or failed to, and the exit code for it."""

from typing import TYPE_CHECKING

from chitty.cli.base import DONE, FAILED, TIMED_OUT, Session, fail

if TYPE_CHECKING:
    from chitty.stack.leaving import Left
    from chitty.stack.waiting import Outcome


def tell_joined(session: Session, outcome: "Outcome") -> int:
    """Say who has joined, who has not and why, and return the exit code for it."""
    for member in outcome.joined:
        session.notice(f"{member.name} joined{'' if member.runs else ', and has left by itself'}")
    return judge(outcome)


def judge(outcome: "Outcome") -> int:
    """Say who has not joined and why, and return the exit code for it."""
    from chitty.stack import waiting

    if outcome.waiting and outcome.members is not None and outcome.members.server.failed:
        return fail(f"the server does not serve: {outcome.members.server.failed}")
    server = outcome.members.server.address if outcome.members is not None else None
    for member in outcome.failed + outcome.waiting:
        fail(waiting.why(member, server))
    return FAILED if outcome.failed else TIMED_OUT if outcome.waiting else DONE


def tell_left(session: Session, left: "Left") -> int:
    """Say who has left, and return the exit code for it."""
    for name in left.left:
        session.notice(f"{name} left")
    for name in left.removed:
        session.notice(f"{name} had ended before: forgotten")
    for name in left.lost:
        fail(f"{name} ended without a receipt of its leave")
    return FAILED if left.lost else DONE
