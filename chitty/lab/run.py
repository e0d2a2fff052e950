"""Plays a scenario on a stack of its own, step by step. What a step is, `chitty.lab.steps` knows."""

import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from chitty.core.errors import AlreadyExists, ChittyError, TimedOut, Unexpected
from chitty.lab import conditions
from chitty.lab.conditions import Logs
from chitty.lab.scenario import Scenario
from chitty.lab.steps import Expect, Join, Kill, Leave, Pause, Restart, Say, Step, Unpause, Up, Wait
from chitty.stack import ending, faults, leaving, leftovers, membership, say, waiting
from chitty.stack.control import Stack, quiet
from chitty.stack.layout import Layout
from chitty.stack.membership import Caller
from chitty.stack.plan import Wish
from chitty.stack.up import Request
from chitty.stack.up import up as start
from chitty.stack.waiting import Outcome

_LOOK = 0.05  # seconds between two looks at a condition


class Watch(Protocol):
    """Is told of each step, by its number from 1."""

    def begins(self, number: int, step: Step) -> None:
        """Take note that a step begins."""

    def ended(self, number: int, step: Step, seconds: float, *, well: bool) -> None:
        """Take note that a step has ended, and whether as it was to."""


@contextmanager
def own_stack(directory: Path | None, tell: Callable[[str], None] = quiet, *, keep: bool = False) -> Iterator[Stack]:
    """Give a stack to play on, and take it down afterwards, whatever happens, unless it is to be kept.

    A signal interrupts what is played, and Ctrl-C after that kills the stack, one to be kept too.

    Without a directory it has a temporary one, which is removed afterwards. What failed, or is kept, stays to
    be looked at; `tell` is told where.

    Raises:
        AlreadyExists: a stack runs in the directory.
    """
    if directory is not None and directory.is_dir() and leftovers.is_held(Layout.of(directory)):
        raise AlreadyExists(f"a stack runs in {directory}: give another directory, or `{_down(directory)}`")
    place = directory or Path(tempfile.mkdtemp(prefix="chitty-run-"))
    stays = keep or directory is not None
    failed = False
    stack = Stack(Layout.of(place), tell)
    there = stack

    def clean() -> None:
        nonlocal there
        there = stack.present()
        if not keep:
            ending.end(stack)
        if not (stays or failed):
            shutil.rmtree(place, ignore_errors=True)

    try:
        with ending.afterwards(stack, clean):
            try:
                yield stack
            except ChittyError:
                failed = True
                raise
    finally:
        if failed:
            tell(f"the logs are in {there.layout.logs}")
        if keep and (own := stack.own()) is not None and own.lasts():
            where = place if there is stack else there.layout.directory
            tell(f"the stack runs on: `{_down(where)}` stops it")


def _down(directory: Path) -> str:
    return shlex.join(["chitty", "-C", str(directory), "down"])


def play(stack: Stack, scenario: Scenario, seed: int, caller: Caller, watch: Watch) -> None:
    """Play a scenario from its first step to its last, or to the first that goes wrong.

    The stack must not run; what an earlier run left in its directory is archived.

    Raises:
        Unexpected: the run went otherwise than the scenario says.
        TimedOut: what a step waited for did not happen before its deadline.
        ChittyError: a step could not be done. The text of all names the step by its number.
    """
    with closing(Logs(stack)) as logs:
        player = _Player(stack, scenario, caller, logs)
        for number, step in enumerate(scenario.steps(seed), 1):
            watch.begins(number, step)
            began = time.monotonic()
            well = False
            try:
                player.play(step)
                well = True
            except ChittyError as error:
                raise type(error)(f"step {number} ({step}): {error}") from error
            finally:
                watch.ended(number, step, time.monotonic() - began, well=well)


@dataclass(frozen=True, slots=True)
class _Player:
    stack: Stack
    scenario: Scenario
    caller: Caller
    logs: Logs

    def play(self, step: Step) -> None:  # noqa: C901 - one case a verb is the table
        match step:
            case Up():
                self._up(step)
            case Join():
                self._join(step)
            case Say():
                self._say(step)
            case Leave():
                self._leave(step)
            case Kill():
                if not faults.kill(self.stack, str(step.who), step.number):
                    raise Unexpected(f"{step.who} lives on")
            case Pause():
                faults.pause(self.stack, str(step.who))
            case Unpause():
                faults.unpause(self.stack, str(step.who))
            case Restart():
                _all_joined(faults.restart(self.stack, str(step.who), step.within))
            case Wait(until=None):
                time.sleep(step.seconds or 0.0)
            case Wait():
                assert step.until is not None
                self._until(step.until, TimedOut)
            case Expect():
                self._until(step, Unexpected)

    def _up(self, step: Up) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as own:
            yaml.safe_dump(step.settings, own)
            own.flush()
            # a port of its own, so that no other stack is in the way
            port = None if "port" in step.settings.get("server", {}) else 0
            clients = tuple(step.clients) if isinstance(step.clients, list) else step.clients
            request = Request(clients, step.humans, Path(own.name), port, fresh=True)
            _all_joined(start(self.stack, request, self.caller, step.within))

    def _join(self, step: Join) -> None:
        wishes = [Wish(name, "human" if step.human else "bot", step.bot) for name in step.who]
        outcome = membership.join(self.stack, wishes, self.caller, step.within)
        if not step.refused:
            _all_joined(outcome)
            return
        if outcome.joined or outcome.waiting:
            raise Unexpected(f"not refused: {', '.join(one.name for one in outcome.joined + outcome.waiting)}")
        for one in outcome.failed:
            _expect_refusal(step.refused, one.refused or one.reason)

    def _say(self, step: Say) -> None:
        said = say.say(self.stack, str(step.who), str(step.text), step.within)
        if step.refused and not said.refusal:
            raise Unexpected(f"it was broadcast at Lamport time {said.lamport}, not refused")
        if step.refused:
            _expect_refusal(step.refused, said.refusal)
        elif said.refusal:
            raise Unexpected(f"refused: {said.refusal}")

    def _leave(self, step: Leave) -> None:
        left = leaving.leave(self.stack, step.who)
        if left.lost or left.removed:
            raise Unexpected(f"{', '.join(left.lost + left.removed)} had ended, or did not leave in good order")

    def _until(self, condition: Expect, late: type[ChittyError]) -> None:
        deadline = time.monotonic() + condition.within
        while lacking := conditions.missing(condition, self.stack.members(), self.logs):
            if time.monotonic() > deadline:
                raise late(f"after {condition.within:g} s {lacking}")
            time.sleep(_LOOK)


def _all_joined(outcome: Outcome) -> None:
    if outcome.failed:
        raise Unexpected("; ".join(map(waiting.why, outcome.failed)))
    if outcome.waiting:
        raise TimedOut("; ".join(map(waiting.why, outcome.waiting)))


def _expect_refusal(expected: str, found: str) -> None:
    if expected not in found:
        raise Unexpected(f"refused, but with {found!r}, which does not say {expected!r}")
