"""The hub over its ordered log: commands go in, outcomes come back, events go on to the fan-out.

Knows no call: the servicer hands it commands and waits for outcomes.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from chitty import __version__
from chitty.core import steps
from chitty.core.errors import LimitExceeded, StorageFailed, Unavailable
from chitty.core.event import Command, Configure, Detect, Kind, Limits
from chitty.core.hub import Hub, Outcome, State
from chitty.core.steps import Step
from chitty.output import Journal
from chitty.sequencer import Batch, Sequencer, Snapshot
from chitty.server import crashing, snapshots
from chitty.server.absences import Absence, Absences
from chitty.server.fanout import Fanout
from chitty.wire import convert

RETRY = 1.0
"""Seconds after which one is to ask again whose command the ordered log could not take."""

_WARM = 2_000
"""Events that are applied anew at a start, at least, so that who resumes soon finds them in the window."""


@dataclass(slots=True)
class _Submission:
    command: Command
    outcome: asyncio.Future[Outcome]
    applied: Callable[[Outcome], None] | None


class Replica:
    """Applies the ordered log to a hub and lets the world know, in this order: log lines, events, receipts.

    Args:
        every: events after which a snapshot is made.
        grace: seconds in which one whose connection broke may come back.
        troubled: called when the ordered log fails to take commands, with why, and with nothing once it takes
            them again.

    Attributes:
        absences: who belongs and is not connected.
        left: called with the incarnation of each that has left; to be set by whoever needs to know.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        fanout: Fanout,
        journal: Journal,
        every: int,
        grace: float,
        troubled: Callable[[str], None],
    ) -> None:
        self.hub = Hub()
        self.epoch = sequencer.epoch
        self._sequencer = sequencer
        self._fanout = fanout
        self._journal = journal
        self._every = every
        self.absences = Absences(grace, self._announce_gone)
        self._troubled = troubled
        self._trouble = ""
        self.left: Callable[[str], None] = lambda _: None
        self._submitted: list[_Submission] = []
        self._under_way: deque[_Submission] = deque()
        self._news = asyncio.Event()
        self._closing = False
        self._snapped = (0, 0)
        self._snapping: asyncio.Task[None] | None = None

    def recover(self) -> None:
        """Apply what is in the log already, and write the `start` line; lines that may be missing are written again.

        To be called once, before `run`. Blocks.

        Raises:
            StorageFailed: the log cannot be read, or was written for later rules.
        """
        log = self._sequencer
        newest = log.latest(log.written)
        warm = newest.sequence - _WARM if newest is not None else 0
        snapshot = log.before(max(warm, log.oldest() - 1))  # what the oldest one holds is in no batch any more
        if snapshot is not None:
            self.hub = Hub.restore(snapshots.decode(snapshot.state))
            self._fanout.begin_after(self.hub.sequence)
            self._snapped = snapshot.position, snapshot.sequence
        after = snapshot.position if snapshot is not None else 0
        unwritten: list[Batch] = []
        for batch in log.read(after):
            if batch.position > log.written:
                unwritten.append(batch)
            else:
                self._offer([self.hub.apply(command) for command in batch.commands])
        self._journal.write([steps.Start(self.hub.time, "", os.getpid(), __version__, self.epoch)])
        for batch in unwritten:
            outcomes = [self.hub.apply(command) for command in batch.commands]
            self._journal.write(_steps(outcomes), again=True)
            self._offer(outcomes)
        log.note_written(log.last)

    def configure(self, limits: Limits) -> None:
        """Let these limits decide from here on; they are part of the ordered log, as all that decides is."""
        if limits != self.hub.limits:
            self.submit(Configure(limits))

    def submit(self, command: Command, applied: Callable[[Outcome], None] | None = None) -> asyncio.Future[Outcome]:
        """Hand a command to the ordered log; the future gives its outcome, once its events are on their way.

        Commands submitted here are applied in the order of submission. Cancelling the future does not undo
        the command. `applied` is called with the outcome before its events leave, whether or not
        anybody waits for the future. The future raises Unavailable when the service stops, and LimitExceeded
        when the log cannot take the command: nothing has happened then.
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
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._append())
                tasks.create_task(self._apply())
        finally:
            if self._snapping is not None:
                await self._snapping
            await self._sequencer.close()

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
                await self._commit(batch)
            if self._closing and not self._submitted:
                self._sequencer.finish()
                return

    async def _commit(self, batch: Sequence[_Submission]) -> None:
        self._under_way.extend(batch)
        try:
            await self._sequencer.append([submission.command for submission in batch])
        except StorageFailed as failure:
            for submission in batch:
                self._under_way.remove(submission)
                if not submission.outcome.done():
                    submission.outcome.set_exception(LimitExceeded(str(failure), retry_after=RETRY))
                    submission.outcome.exception()  # nobody may wait for it
            self._tell_trouble(str(failure))
        else:
            self._tell_trouble("")

    def _tell_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._troubled(trouble)

    async def _apply(self) -> None:
        async for batch in self._sequencer.committed():
            crashing.point("commit")
            outcomes = [self.hub.apply(command) for command in batch.commands]
            self._journal.write(_steps(outcomes))
            self._sequencer.note_written(batch.position)
            crashing.point("log")
            submissions = [self._under_way.popleft() for _ in outcomes] if batch.own else []
            for outcome, submission in zip_longest(outcomes, submissions):
                self._end_left(outcome)  # in the order of the log: one may leave and join anew in one batch
                if submission is not None and submission.applied is not None:
                    submission.applied(outcome)
            self._offer(outcomes)
            crashing.point("broadcast")
            for submission, outcome in zip(submissions, outcomes, strict=False):
                if not submission.outcome.done():
                    submission.outcome.set_result(outcome)
            self._snap(batch.position)

    def _offer(self, outcomes: Iterable[Outcome]) -> None:
        """Let the events go on to the subscriptions."""
        self._fanout.offer([convert.frame(event) for outcome in outcomes for event in outcome.events])

    def _end_left(self, outcome: Outcome) -> None:
        """End the stream of whoever left, before its events leave."""
        for event in outcome.events:
            if event.kind is Kind.LEFT and outcome.member is not None:
                self._fanout.finish(outcome.member.incarnation, event)
                self.absences.end(outcome.member.incarnation)
                self.left(outcome.member.incarnation)

    async def _announce_gone(self, absence: Absence) -> None:
        """Let everybody know that one does not come back; it is tried until the ordered log takes it."""
        while True:
            gone = Detect(absence.incarnation, absence.joined, absence.connection, absence.reason, time.time())
            try:
                await self.submit(gone)
            except LimitExceeded:
                await asyncio.sleep(RETRY)
            except Unavailable:
                return  # the service stops, and notices nothing
            else:
                return

    def _snap(self, position: int) -> None:
        """Keep a snapshot now and then; what is copied here is written elsewhere."""
        since, sequence = self._snapped
        busy = self._snapping is not None and not self._snapping.done()
        if busy or max(position - since, self.hub.sequence - sequence) < self._every:
            return
        self._snapped = position, self.hub.sequence
        self._snapping = asyncio.create_task(self._keep(position, self.hub.state()))

    async def _keep(self, position: int, state: State) -> None:
        data = await asyncio.to_thread(snapshots.encode, state)
        try:
            await self._sequencer.keep(Snapshot(position, state.sequence, data))
        except StorageFailed as failure:
            self._journal.logger.warning("no snapshot was kept: %s", failure)


def _steps(outcomes: Iterable[Outcome]) -> Iterable[Step]:
    for outcome in outcomes:
        yield from outcome.steps
