"""Applying one list of commands to a fresh hub, and writing down everything that came of it."""

import random
from collections.abc import Iterable

from chitty import journal
from chitty.core.event import Command, Configure, Detect, Join, Leave, Limits, Message, Publish, Reason
from chitty.core.hub import Hub, Outcome


def written(commands: Iterable[Command], limits: Limits) -> bytes:
    """Return all that a fresh hub says to `commands`, as bytes."""
    hub = Hub(limits)
    said = [_written(hub.apply(command)) for command in commands]
    return "\n".join([*said, repr((hub.time, hub.sequence, hub.members))]).encode()


def _written(outcome: Outcome) -> str:
    refusal = outcome.refusal
    why = (refusal.status, refusal.field, refusal.retry_after, str(refusal)) if refusal else None
    said = [repr(outcome.receipts), repr(outcome.events), repr(outcome.steps), repr(outcome.member), repr(why)]
    return "\n".join(said + journal.entries(outcome.steps, 1, "e1"))


def some_commands(seed: int, count: int) -> list[Command]:
    """Return commands that a crowd of sessions could send, the same for a seed on any machine."""
    chance = random.Random(seed)
    commands: list[Command] = []
    for turn in range(1, count + 1):
        session = f"{chance.randrange(12):016x}"
        match chance.randrange(6):
            case 0 | 1:
                name = chance.choice(["alice", "Bob", "carol", "ålice", "dave", "erin", "mallory"])
                commands.append(Join(session, name, name.casefold(), turn, turn, wall=float(turn)))
            case 2:
                commands.append(Leave(session, turn, chance.randrange(turn)))
            case 3:
                joined, connection = chance.randrange(turn), chance.randrange(1, 3)
                commands.append(Detect(session, joined, connection, chance.choice([Reason.LOST, Reason.EXPELLED])))
            case _:
                messages = [Message(turn * 4 + n, turn, f"{turn}, {n}") for n in range(chance.randrange(4))]
                commands.append(Publish(session, tuple(messages)))
        if chance.randrange(100) == 0:
            commands.append(Configure(Limits(chance.randrange(2, 6), chance.randrange(1, 5), chance.randrange(1, 5))))
        if chance.randrange(4) == 0:
            commands.append(chance.choice(commands))
    return commands
