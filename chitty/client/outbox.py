"""What a participant says, from the call to its receipt. Knows no connection: it is told when one serves."""

import asyncio
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from chitty.client.backoff import LONGEST_ASKED
from chitty.core.errors import (
    ChittyError,
    InvalidArgument,
    LimitExceeded,
    NotPermitted,
    Refusal,
    SessionEnded,
    Unacknowledged,
    Unavailable,
)
from chitty.core.event import Message, Receipt
from chitty.core.participant import Participant
from chitty.output import Journal

REQUEST = 200
"""Messages that travel in one request at most."""

MAX_BYTES = 4_096
"""UTF-8 bytes of a text that is sent at all; the service refuses far shorter ones, by its own rules."""

_PARTS = 10
"""Parts of its patience that an outbox counts. A pause of the process counts as one of them at most."""

_AT_FAULT = re.compile(r"messages\[(\d+)\]")


@dataclass(slots=True)
class _Said:
    text: str
    receipt: asyncio.Future[Receipt]
    since: float


class Outbox:
    """Texts that wait to be sent, and messages that wait for their receipts.

    No text waits for longer than `patience` seconds in which the service has answered none of them. One that was not
    sent is withdrawn then. One that was sent goes on without its caller, as it may have been accepted.

    Attributes:
        news: set while there may be something to send.
    """

    def __init__(self, participant: Participant, journal: Journal, patience: float) -> None:
        self.news = asyncio.Event()
        self._participant = participant
        self._journal = journal
        self._said: deque[_Said] = deque()
        self._sent: dict[int, tuple[Message, _Said]] = {}
        self._most = REQUEST
        self._tried: set[int] = set()  # messages of requests that may have been accepted
        self._repeats: set[int] = set()  # those of the last request that were tried before
        self._settled = asyncio.Event()
        self._settled.set()
        self._patience = patience
        self._now = self._looked = 0.0
        self._answered = -patience
        self._trouble: Refusal | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sends = True

    def say(self, text: str) -> asyncio.Future[Receipt]:
        """Take a text; the future gives its receipt, or why there is none.

        Raises:
            InvalidArgument: no request can carry it.
        """
        if not isinstance(text, str):
            raise InvalidArgument(f"the message is of type {type(text).__name__}: it must be a str", field="text")
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise InvalidArgument(
                f"the message is not valid Unicode: a lone surrogate at position {error.start}", field="text"
            ) from None
        if size > MAX_BYTES:
            raise InvalidArgument(f"the message has {size} bytes: at most 128 characters are allowed", field="text")
        said = _Said(text, asyncio.get_running_loop().create_future(), self._clock())
        self._said.append(said)
        self._settled.clear()
        self.news.set()
        if self._timer is None:
            self._wait()
        return said.receipt

    def gather(self) -> list[Message]:
        """Return the next request: what has no receipt yet, or else what was said since, sent now.

        Sending is an event: its lines are in the log when this returns. A repeat is none. What nobody waits for any
        more is not sent.
        """
        if not self._sent:
            taken = []
            while self._sends and self._said and len(self._sent) < REQUEST:
                said = self._said.popleft()
                if said.receipt.done():
                    continue
                message, step = self._participant.publish(said.text)
                self._sent[message.number] = message, said
                taken.append(step)
            self._journal.write(taken)
        if not self._sent:
            self.news.clear()
            self._note_settled()
        batch = [message for message, _ in self._sent.values()][: self._most]
        numbers = {message.number for message in batch}
        self._repeats = numbers & self._tried
        self._tried = (self._tried & self._sent.keys()) | numbers
        return batch

    def receipted(self, receipts: Sequence[Receipt]) -> None:
        """Take receipts, in order."""
        self._note_answer()
        self._journal.write(self._participant.acknowledge(receipts))
        for receipt in receipts:
            _, said = self._sent.pop(receipt.number, (None, None))
            if said is not None and not said.receipt.done():
                said.receipt.set_result(receipt)
        self._note_settled()

    def refused(self, refusal: Refusal) -> bool:
        """Learn why a request was not accepted; tell whether what is left of it may be sent at once.

        The message at fault is refused and the others are sent again, fewer at once if they were too many. A
        refusal that is about no message says nothing about their fate, and so does one that says when to try again,
        unless that is too long to wait for. A refusal of a repeat that is about no message of it in particular says
        nothing about the first time.
        """
        at_fault = _AT_FAULT.match(refusal.field)
        numbers = list(self._sent)[: self._most]
        if at_fault and int(at_fault[1]) < len(numbers):
            first, joining = numbers[int(at_fault[1])], self._participant.joining
            if refusal.field.endswith(".number") and first < joining:
                self._say_anew([number for number in self._sent if first <= number < joining], refusal)
                return True
            numbers = [first]
            self._repeats.discard(first)
        elif isinstance(refusal, LimitExceeded) and not refusal.retry_after and len(numbers) > 1:
            self._most = len(numbers) // 2
            self._tried -= set(numbers) - self._repeats
            return True
        elif (
            not isinstance(refusal, InvalidArgument | LimitExceeded | NotPermitted)
            or 0 < (refusal.retry_after or 0) <= LONGEST_ASKED
        ):
            self._trouble = refusal
            return False
        self._note_answer()
        for number in numbers:
            if number in self._repeats:
                why = f"{refusal}: this was a repeat, the message may or may not have been published before"
                self._drop(number, Unacknowledged(why))
            else:
                self._journal.write(self._participant.refuse(number, refusal))
                self._drop(number, refusal)
        self._note_settled()
        return True

    def _say_anew(self, numbers: Sequence[int], refusal: Refusal) -> None:
        """Take back what a stay that has ended did not get accepted, to be sent as new messages of this one.

        Messages are accepted in order, so when the first of these was not, none was.
        """
        taken_back = []
        for number in numbers:
            _, said = self._sent.pop(number)
            self._journal.write(self._participant.refuse(number, refusal))
            taken_back.append(said)
        self._said.extendleft(reversed(taken_back))

    def abandon(self, numbers: Iterable[int]) -> None:
        """Give messages up that were sent in another epoch."""
        for number in numbers:
            self._drop(number, Unacknowledged("the service began a new order before the receipt: unknown what became"))
        self._note_settled()

    def send_no_more(self) -> None:
        """Send no message for the first time from now on: the Leave is next. Repeats continue."""
        self._sends = False

    def close(self, why: ChittyError) -> None:
        """Give everything up: the session has ended."""
        for said in self._said:
            _fail(said.receipt, SessionEnded("the session ended before this was sent"))
        self._said.clear()
        for number in list(self._sent):
            self._drop(number, why)
        self._note_settled()
        if self._timer is not None:
            self._timer.cancel()

    async def settled(self) -> None:
        """Wait until everything said has its receipt, or will never have one."""
        await self._settled.wait()

    def _drop(self, number: int, why: ChittyError) -> None:
        _, said = self._sent.pop(number, (None, None))
        if said is not None:
            _fail(said.receipt, why)

    def _note_answer(self) -> None:
        self._answered = self._clock()
        self._trouble = None

    def _clock(self) -> float:
        """Return the seconds that have passed, without pauses of the process."""
        now = asyncio.get_running_loop().time()
        self._now += min(now - self._looked, self._patience / _PARTS)
        self._looked = now
        return self._now

    def _wait(self) -> None:
        """Look again when the first text has waited for too long, but after a part of the patience at the latest."""
        waiting = chain((said for _, said in self._sent.values()), self._said)
        since = next((said.since for said in waiting if not said.receipt.done()), None)
        if since is not None:
            left = max(since, self._answered) + self._patience - self._now
            part = min(left, self._patience / _PARTS)
            self._timer = asyncio.get_running_loop().call_later(part, self._lose_patience)

    def _lose_patience(self) -> None:
        """Let those go who have waited for too long."""
        overdue = self._clock() - self._patience
        if self._answered <= overdue:
            trouble = f" (last it said: {self._trouble})" if self._trouble else ""
            silence = f"the service has answered nothing for {self._patience:g} s{trouble}"
            for _, said in self._sent.values():
                if said.since <= overdue:
                    _fail(said.receipt, Unacknowledged(f"{silence}: the message may or may not be broadcast"))
            for said in self._said:
                if said.since <= overdue:
                    _fail(said.receipt, Unavailable(f"{silence}: the message was not sent; try again"))
            self._said = deque(said for said in self._said if not said.receipt.done())
            self._note_settled()
        self._timer = None
        self._wait()

    def _note_settled(self) -> None:
        if not self._sent and not self._said:
            self._settled.set()


def _fail(waiting: asyncio.Future[Receipt], why: ChittyError) -> None:
    if not waiting.done():
        waiting.set_exception(why)
        waiting.exception()  # whoever said it may not wait for it
