"""The hub over its ordered log: commands go in, outcomes come back, events go on to the fan-out.

Knows no call: the servicer hands it commands and waits for outcomes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chitty.core.errors import Unavailable
from chitty.core.event import Command, Kind
from chitty.core.hub import Hub, Outcome
from chitty.core.steps import Step
from chitty.process import Journal
from chitty.sequencer import Sequencer
from chitty.server.fanout import Fanout
from chitty.wire import convert


@dataclass(slots=True)
class _Submission:
    command: Command
    outcome: asyncio.Future[Outcome]
    applied: Callable[[Outcome], None] | None


class Replica:
    """Applies the ordered log to a hub and lets the world know, in this order: log lines, events, receipts."""

    def __init__(self, hub: Hub, sequencer: Sequencer, fanout: Fanout, journal: Journal) -> None:
        self.hub = hub
        self.epoch = sequencer.epoch
        self._sequencer = sequencer
        self._fanout = fanout
        self._journal = journal
        self._submitted: list[_Submission] = []
        self._under_way: deque[_Submission] = deque()
        self._news = asyncio.Event()
        self._closing = False

    def submit(self, command: Command, applied: Callable[[Outcome], None] | None = None) -> asyncio.Future[Outcome]:
        """Hand a command to the ordered log; the future gives its outcome, once its events are on their way.

        Commands submitted here are applied in the order of submission. Cancelling the future does not undo
        the command. `applied` is called with the outcome before its events leave, whether or not
        anybody waits for the future.
        """
        submission = _Submission(command, asyncio.get_running_loop().create_future(), applied)
        if self._closing:
            submission.outcome.set_exception(Unavailable("the service is shutting down: try again"))
        else:
            self._submitted.append(submission)
            self._news.set()
        return submission.outcome

    async def run(self) -> None:
        """Append what is submitted and apply what is committed, until `close`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._append())
            tasks.create_task(self._apply())

    def close(self) -> None:
        """Let `run` return once everything submitted has been applied."""
        self._closing = True
        self._news.set()

    async def _append(self) -> None:
        """Append everything that waits as one batch: one commit and one round, however many asked for it."""
        while True:
            await self._news.wait()
            self._news.clear()
            batch, self._submitted = self._submitted, []
            if batch:
                self._under_way.extend(batch)
                await self._sequencer.append([submission.command for submission in batch])
            if self._closing and not self._submitted:
                await self._sequencer.close()
                return

    async def _apply(self) -> None:
        async for batch in self._sequencer.committed():
            outcomes = [self.hub.apply(command) for command in batch.commands]
            self._journal.write(_steps(outcomes))
            submissions = [self._under_way.popleft() for _ in outcomes] if batch.own else []
            for submission, outcome in zip(submissions, outcomes, strict=False):
                if submission.applied is not None:
                    submission.applied(outcome)
            self._announce(outcomes)
            for submission, outcome in zip(submissions, outcomes, strict=False):
                if not submission.outcome.done():
                    submission.outcome.set_result(outcome)

    def _announce(self, outcomes: Iterable[Outcome]) -> None:
        """Let the events go on to the subscriptions, and end the stream of whoever left."""
        frames = []
        for outcome in outcomes:
            for event in outcome.events:
                frames.append(convert.frame(event))
                if event.kind is Kind.LEFT and outcome.member is not None:
                    self._fanout.finish(outcome.member.incarnation, event)
        self._fanout.offer(frames)


def _steps(outcomes: Iterable[Outcome]) -> Iterable[Step]:
    for outcome in outcomes:
        yield from outcome.steps
