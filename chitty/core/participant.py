"""A participant's side of the protocol: its clock, its numbers, what it has and what it waits for.

It must not know how messages travel. Whoever drives it logs each step it returns before anything of that
step reaches the network, and hands it what arrives in the order of arrival.
"""

from collections.abc import Iterable

from chitty.core import steps
from chitty.core.errors import Refusal
from chitty.core.event import Event, Kind, Message, Receipt, message_id
from chitty.core.lamport import LamportClock


class Participant:
    """One process's view: rules of time for a sender and receiver (Lamport 1978, IR1 and IR2).

    Attributes:
        incarnation: public identity of the process.
        name: what it asks to be called.
        epoch: of the order that it follows, empty before the first response.
        last: sequence of the last event delivered in this stay, 0 before its own join.
        joining: number of the last Join, 0 before the first.
    """

    def __init__(self, incarnation: str, name: str) -> None:
        self.incarnation = incarnation
        self.name = name
        self.epoch = ""
        self.last = 0
        self.joining = 0
        self._clock = LamportClock()
        self._number = 0
        self._waiting: dict[int, Kind] = {}

    @property
    def time(self) -> int:
        """The participant's Lamport time."""
        return self._clock.time

    def join(self) -> steps.Send:
        """Begin a stay: send a Join. A repeat of it after a broken stream is no step: do not call this."""
        self.last = 0
        step = self._send(Kind.JOINED)
        self.joining = self._number
        return step

    def welcome(self, epoch: str) -> list[int]:
        """Learn the epoch from the first response of a Join.

        Returns the numbers of messages whose fate nobody can tell any more: they were sent in another epoch.
        """
        abandoned = [number for number in self._waiting if number < self.joining] if epoch != self.epoch else []
        for number in abandoned:
            del self._waiting[number]
        self.epoch = epoch
        return abandoned

    def publish(self, text: str) -> tuple[Message, steps.Send]:
        """Send a message; its receipt, or refusal, is to be handed back by its number."""
        step = self._send(Kind.PUBLISHED, text)
        return Message(self._number, step.lamport, text), step

    def leave(self) -> steps.Send:
        """Ask to leave; the number to send is `number`."""
        return self._send(Kind.LEFT)

    @property
    def number(self) -> int:
        """Number of the last message sent."""
        return self._number

    @property
    def unanswered(self) -> bool:
        """Whether a message to the chat has neither a receipt nor a refusal."""
        return Kind.PUBLISHED in self._waiting.values()

    def deliver(self, events: Iterable[Event]) -> list[steps.Deliver]:
        """Receive events, each a receive event of its own; those received before are no step."""
        delivered = []
        for event in events:
            if event.sequence > self.last:
                self.last = event.sequence
                delivered.append(steps.Deliver(self._clock.receive(event.lamport), self.epoch, event))
        return delivered

    def acknowledge(self, receipts: Iterable[Receipt]) -> list[steps.Ack]:
        """Receive receipts, each a receive event of its own; only the first of a message is one."""
        acks = []
        for receipt in receipts:
            op = self._waiting.pop(receipt.number, None)
            if op is not None:
                lamport = self._clock.receive(receipt.lamport)
                cause = message_id(self.incarnation, receipt.number)
                acks.append(steps.Ack(lamport, op, cause, self.epoch, receipt.sequence, receipt.lamport))
        return acks

    def refuse(self, number: int, refusal: Refusal) -> list[steps.Refused]:
        """Learn that a message was refused: a local event, unless its fate was known before."""
        op = self._waiting.pop(number, None)
        if op is None:
            return []
        cause = message_id(self.incarnation, number)
        return [steps.Refused(self._clock.tick(), op, cause, refusal.status, str(refusal))]

    def joined(self) -> None:
        """Note that the Join was answered: by its own event, it needs no other receipt."""
        self._waiting.pop(self.joining, None)

    def _send(self, op: Kind, text: str | None = None) -> steps.Send:
        self._number += 1
        self._waiting[self._number] = op
        return steps.Send(self._clock.tick(), op, message_id(self.incarnation, self._number), text)
