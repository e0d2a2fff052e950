"""Waiting for participants to join, and what came of it. Starts and stops nothing."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chitty.core.names import fold
from chitty.stack.control import Stack, ended
from chitty.stack.layout import slug
from chitty.stack.members import Member, Members
from chitty.wire.address import parse, without_proxy

Watch = Callable[[Members, int, int], None]
"""Told at each look: the stack, how many of those waited for have joined, and how many there are."""

_STEP = 0.05
_SHARE = 4  # looking takes at most a fifth of one core, however many are looked at


@dataclass(slots=True)
class Outcome:
    """What became of each participant that was waited for."""

    joined: list[Member] = field(default_factory=list)
    failed: list[Member] = field(default_factory=list)
    waiting: list[Member] = field(default_factory=list)
    members: Members | None = None

    @property
    def complete(self) -> bool:
        """Whether nobody is waited for any more."""
        return not self.waiting


def joined(stack: Stack, names: Sequence[str], wait: float, watch: Watch | None = None) -> Outcome:
    """Wait until each has joined or ended, at most `wait` seconds.

    Raises:
        NotRunning: the stack was stopped meanwhile.
    """
    deadline = time.monotonic() + wait
    while True:
        late, spent = time.monotonic() > deadline, time.process_time()
        now = stack.members()
        outcome = sort(now, names)
        if watch is not None:
            watch(now, len(outcome.joined), len(names))
        if outcome.complete or now.server.failed or late:
            return outcome
        # Of its own time: where supervisord takes long to answer, there is nothing to spare it.
        time.sleep(max(_STEP, _SHARE * (time.process_time() - spent)))


def sort(now: Members, names: Sequence[str]) -> Outcome:
    """Sort the participants of these names by what has become of them."""
    outcome = Outcome(members=now)
    by_key = {fold(member.name): member for member in now.present()}
    for name in names:
        member = by_key.get(fold(name))
        if member is None:  # somebody else made it leave
            outcome.failed.append(Member(name, slug(name), "bot", "STOPPED", reason="it has left the stack again"))
        else:
            _which(outcome, member).append(member)
    return outcome


def why(member: Member, server: str | None = None) -> str:
    """Return in one line why a participant is not here; `server` is the address that it calls, if that is known."""
    if member.refused:
        return f"{member.name} was refused: {member.refused}"
    if not member.runs:
        return f"{member.name} has ended: {ended(member)}; see `chitty logs {member.name}`"
    unused = without_proxy(parse(server)) if server else ""
    return f"{member.name} has not joined yet: see `chitty logs {member.name}`{unused and '; '}{unused}"


def _which(outcome: Outcome, member: Member) -> list[Member]:
    if member.joined:
        return outcome.joined
    if member.runs:
        return outcome.waiting
    if member.reason == "left":  # it came, and went by itself before anybody looked
        return outcome.joined
    # A program just added is STOPPED for an instant, without an end: it is waited for.
    return outcome.failed if member.reason or member.state in {"FATAL", "EXITED", "BACKOFF"} else outcome.waiting
