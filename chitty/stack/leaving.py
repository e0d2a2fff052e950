"""Participants leave while the stack runs. Knows no settings, which take longer to import than one to leave."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chitty import logfile
from chitty.core.errors import StackError
from chitty.stack import control, grace, tail
from chitty.stack.control import Stack
from chitty.stack.members import Member


@dataclass(slots=True)
class Left:
    """What became of those that were asked to leave."""

    left: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def leave(stack: Stack, names: Sequence[str] | None) -> Left:
    """Let participants leave, all of them when no names are given, and forget their programs.

    Raises:
        NotRunning: the stack does not run.
        NoSuchParticipant: it has none of one of the names; then nobody leaves.
    """
    with stack.changing():
        now = stack.members()
        return dismiss(stack, now.present() if names is None else _unique([now.get(name) for name in names]))


def dismiss(stack: Stack, going: Sequence[Member]) -> Left:
    """Let participants leave; the caller holds the lock of changes."""
    result = Left()
    running = [member for member in going if member.runs]
    for member in running:
        stack.note(member.slug, intent="leave", pid=member.pid)
    stuck = control.stop(stack, [member.slug for member in running], grace.CLIENT + grace.REAPED)
    if stuck:
        raise StackError(f"{', '.join(stuck)} did not end: see `chitty doctor`")
    after = {member.slug: member for member in stack.members().present()} if running else {}
    for member in going:
        own = after.get(member.slug)
        if own is None or member.over:
            result.removed.append(member.name)
            stack.note(member.slug, intent="forget")
        else:
            receipted = own.reason == "left" and (not member.joined or _has_left(stack, member))
            (result.left if receipted else result.lost).append(member.name)
            stack.note(member.slug, intent="left", name=member.name, kind=member.kind, reason=own.reason)
        discard(stack, member.slug)
    return result


def discard(stack: Stack, own: str) -> None:
    """Forget the program of a participant whose process has ended."""
    stack.supervisor.multicall([("removeProcessGroup", own)])
    remove_files(stack, own)


def remove_files(stack: Stack, own: str) -> None:
    """Remove what was written for a participant, but its log."""
    for path in (stack.layout.program(own), stack.layout.client(own), stack.layout.ready / own):
        path.unlink(missing_ok=True)


def _unique(found: Sequence[Member]) -> list[Member]:
    """Return each participant once."""
    return list({member.slug: member for member in found}.values())


def _has_left(stack: Stack, member: Member) -> bool:
    """Tell whether the last leave that a participant asked for has its receipt in its log."""
    for text in logfile.last_lines(stack.layout.log(member.slug)):
        record = tail.read(member.slug, text)
        if record is not None and record.text("op") == "leave" and record.event in {"ack", "send"}:
            return record.event == "ack"
    return False
