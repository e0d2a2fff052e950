"""Steps by chance, written out beforehand: a seed makes them, and nothing that happens changes them. Pure."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chitty.core.names import fold
from chitty.lab.steps import Expect, Join, Kill, Leave, Pause, Random, Restart, Say, Step, Unpause, Up
from chitty.lab.values import SERVER, Name, Names, Target, Text
from chitty.stack import plan

SETTLED = 60.0
"""Seconds in which all who are to be there have joined, after steps by chance."""

_WORDS = ("hello", "who was first?", "I was", "not by my clock", "did you hear that?", "before or after?", "as I said")


def expand(start: Up, then: Iterable[Step | Random], roster: Sequence[str], seed: int) -> list[Step]:
    """Return all steps in order; each Random in its place has become as many steps as it says, and an Expect."""
    crowd = Crowd()
    found: list[Step] = []
    chances = random.Random(seed)  # noqa: S311 - no secret
    for step in (start, *then):
        for made in _by_chance(step, crowd, roster, chances) if isinstance(step, Random) else (step,):
            crowd.after(made)
            found.append(made)
    return found


@dataclass(slots=True)
class Crowd:
    """Who takes part, as far as the steps tell: names by what they fold to, in the order of their coming."""

    awake: dict[str, str] = field(default_factory=dict)
    paused: dict[str, str] = field(default_factory=dict)
    killed: dict[str, str] = field(default_factory=dict)

    @property
    def joined(self) -> int:
        """How many have joined: one that is paused does not cease to."""
        return len(self.awake) + len(self.paused)

    @property
    def known(self) -> list[str]:
        """Whose names are taken."""
        return [*self.awake.values(), *self.paused.values(), *self.killed.values()]

    def after(self, step: Step) -> None:
        """Take up what a step does to them."""
        match step:
            case Up():
                self._move(step.names, self.awake)
            case Join(refused=""):
                self._move(step.who, self.awake)
            case Leave():
                self._move(step.who, None)
            case Kill(who=who) if who != SERVER:
                self._move([who], self.killed)
            case Pause(who=who) if who != SERVER:
                self._move([who], self.paused)
            case Unpause(who=who) | Restart(who=who) if who != SERVER:
                self._move([who], self.awake)

    def _move(self, names: Iterable[str], into: dict[str, str] | None) -> None:
        for name in names:
            for group in (self.awake, self.paused, self.killed):
                group.pop(fold(name), None)
            if into is not None:
                into[fold(name)] = name


def _by_chance(step: Random, crowd: Crowd, roster: Sequence[str], chances: random.Random) -> Iterator[Step]:
    """Yield steps one by one; the caller has the crowd take up each before it asks for the next."""
    for number in range(1, step.steps + 1):
        possible = _possible(step, crowd)
        verbs = [verb for verb in possible if getattr(step.weights, verb)]
        if not verbs:
            return
        (verb,) = chances.choices(verbs, [getattr(step.weights, verb) for verb in verbs])
        yield _make(verb, possible[verb], f"{chances.choice(_WORDS)} ({number})", crowd, roster, chances)
    for name in list(crowd.paused.values()):
        yield Unpause(who=Target(name))
    yield Expect(participants=crowd.joined, within=SETTLED)


def _possible(step: Random, crowd: Crowd) -> dict[str, list[str]]:
    """Return the verbs that make sense now, and of whom; of a newcomer, nobody."""
    found: dict[str, list[str]] = {"say": list(crowd.awake.values())}
    if len(crowd.awake) > step.least:
        found |= dict.fromkeys(("leave", "kill", "pause"), found["say"])
    found |= {"unpause": list(crowd.paused.values()), "restart": list(crowd.killed.values())}
    possible = {verb: whom for verb, whom in found.items() if whom}
    return possible | {"join": []} if crowd.joined + len(crowd.killed) < step.most else possible


def _make(verb: str, whom: list[str], text: str, crowd: Crowd, roster: Sequence[str], chances: random.Random) -> Step:
    if verb == "join":
        (name,) = plan.names(1, roster, crowd.known)
        return Join(who=Names([name]), within=SETTLED)
    who = chances.choice(whom)
    if verb == "say":
        return Say(who=Name(who), text=Text(text))
    if verb == "leave":
        return Leave(who=Names([who]))
    kinds: dict[str, Callable[[Target], Step]] = {
        "kill": lambda who: Kill(who=who),
        "pause": lambda who: Pause(who=who),
        "unpause": lambda who: Unpause(who=who),
        "restart": lambda who: Restart(who=who),
    }
    return kinds[verb](Target(who))
