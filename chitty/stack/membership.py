"""Participants join while the stack runs, or as many go as are too many: join, scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from chitty import process, settings
from chitty.core.errors import AlreadyExists
from chitty.settings import Settings
from chitty.stack import control, grace, leaving, plan, trust, visiting, waiting
from chitty.stack.control import Stack
from chitty.stack.files import write
from chitty.stack.layout import slug
from chitty.stack.leaving import Left
from chitty.stack.members import Member, Members
from chitty.stack.plan import Wish
from chitty.stack.supervisor import Fault
from chitty.stack.waiting import Outcome

JOIN_WAIT = 30.0
"""Seconds that a join may take: a loaded machine needs some to start an interpreter."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Of whoever gives a command: the interpreter that it runs, and where its bots are looked for."""

    python: str
    path: tuple[str, ...]


def join(stack: Stack, wishes: Sequence[Wish], caller: Caller, wait: float = JOIN_WAIT) -> Outcome:
    """Let participants join, and return when each has joined or ended.

    Raises:
        NotRunning: the stack does not run.
        AlreadyExists: one of them runs with other options; then none is started.
    """
    with stack.changing():
        now = stack.members()
        told = kept(stack)
        start(stack, now, [wish for wish in wishes if not _runs(stack, now, wish, told)], told, caller)
    return waiting.joined(stack, [wish.name for wish in wishes], wait)


def scale(stack: Stack, number: int, caller: Caller, wait: float = JOIN_WAIT) -> tuple[Outcome, Left]:
    """Let as many participants run as asked: new ones from the roster, or the newest bots go, never humans."""
    with stack.changing():
        now = stack.members()
        told = kept(stack)
        running = [member for member in now.present() if member.runs]
        guests = [name for name in told.clients.roster if visiting.is_guest(stack, name)]
        taken = [*guests, *(one.name for one in now.present())]
        names = plan.names(number - len(running), told.clients.roster, taken)
        start(stack, now, [Wish(name) for name in names], told, caller)
        bots = sorted((one for one in running if one.kind == "bot"), key=lambda one: _age(stack, one))
        excess = max(0, len(running) - number)
        left = leaving.dismiss(stack, bots[max(0, len(bots) - excess) :] if excess else [])
    return waiting.joined(stack, names, wait), left


def start(stack: Stack, now: Members, wishes: Sequence[Wish], told: Settings, caller: Caller) -> None:
    """Write the programs of participants, add them to supervisord and start them, in one round each.

    The caller holds the lock of changes, and none of them runs, or all that does is over.

    Raises:
        StackError: supervisord refused; what was written is removed.
        SettingsError: one of them has no certificate, and needs one; nothing was written.
        AlreadyExists: a guest has one of the names; nothing was written.
    """
    if not wishes:
        return
    for wish in wishes:
        visiting.check(stack, wish.name)
    trust.check(told, [wish.name for wish in wishes])
    supervisor = stack.supervisor
    for wish in wishes:
        old = now.find(wish.name)
        if old is not None:
            control.stop(stack, [old.slug], grace.CLIENT + grace.REAPED)
            supervisor.multicall([("removeProcessGroup", old.slug)])
            leaving.remove_files(stack, old.slug)
        stack.publish_nothing(slug(wish.name))
        for file in plan.client_files(wish, told, caller.python, caller.path, autostart=False):
            write(stack.layout.directory / file.path, file.text)
    slugs = [slug(wish.name) for wish in wishes]
    try:
        supervisor.call("reloadConfig")
        calls = [call for own in slugs for call in (("addProcessGroup", own), ("startProcess", own, control.NO_WAIT))]
        for result in supervisor.multicall(calls):
            if isinstance(result, Fault):
                raise result
    except Fault:
        for own in slugs:
            leaving.discard(stack, own)
        raise


def kept(stack: Stack) -> Settings:
    """Return the settings that the stack was started with."""
    return settings.read(stack.layout.settings)


def _runs(stack: Stack, now: Members, wish: Wish, told: Settings) -> bool:
    member = now.find(wish.name)
    if member is None or not member.runs or member.over:
        return False
    runs = process.read_ready(stack.layout.client(member.slug)).get("run")
    wished = wish.run or told.bot.run
    if member.kind != wish.kind or (wish.kind == "bot" and runs != wished):
        is_a = "a human" if member.kind == "human" else f"the bot {runs}"
        raise AlreadyExists(f"{member.name} is here already, as {is_a}: `chitty leave {member.name}` first")
    stack.tell(f"{member.name} is here already")
    return True


def _age(stack: Stack, member: Member) -> int:
    try:
        return stack.layout.client(member.slug).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
