"""A hub and its participants, with a network in between that takes its time, breaks and comes back.

Links are in order each (FIFO), and independent of one another: events, receipts and requests of several
participants interleave as chance has it. Happens-before is kept beside it all by vector clocks (Fidge 1988,
Mattern 1989), which nothing under test knows; from them follows what Lamport's clocks must show.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from chitty.core import steps
from chitty.core.errors import PreconditionFailed, Refusal
from chitty.core.event import Command, Detect, Event, Join, Kind, Leave, Publish, Reason, Receipt, message_id
from chitty.core.hub import Hub
from chitty.core.participant import Participant

NAMES = ["alice", "bob", "carol", "dave"]
EPOCH = "e1"


class Causality:
    """Vector clocks beside Lamport's: what truly happened before what."""

    def __init__(self) -> None:
        self.now: dict[str, dict[str, int]] = {}
        self.taken: list[tuple[str, dict[str, int], steps.Step]] = []

    def step(self, process: str, step: steps.Step, *received: dict[str, int]) -> dict[str, int]:
        """Note a step of `process`, and what came with the message that it received; return its vector."""
        now = self.now.setdefault(process, {})
        for vector in received:
            for other, count in vector.items():
                now[other] = max(now.get(other, 0), count)
        now[process] = now.get(process, 0) + 1
        self.taken.append((process, dict(now), step))
        return dict(now)


@dataclass
class Peer:
    """A participant, its links, and the hub's end of its subscription.

    Attributes:
        unanswered: requests without receipt, by number, in order: what it repeats when a link comes back.
        sent: vectors of its sends, by number.
        requests: on their way to the hub.
        answers: receipts and refusals on their way back.
        joining: the Join of this stay, which takes the membership over when it is repeated.
        cursor: sequence of the last event handed to the subscription, None without one.
        until: sequence of the event that ends it: its own leave.
        delivered: the events of each stay.
    """

    participant: Participant
    unanswered: dict[int, Command] = field(default_factory=dict)
    sent: dict[int, dict[str, int]] = field(default_factory=dict)
    requests: deque[Command] = field(default_factory=deque)
    answers: deque[tuple[int, Receipt | Refusal]] = field(default_factory=deque)
    cursor: int | None = None
    until: int | None = None
    inside: bool = False
    leaving: bool = False
    joining: Join | None = None
    delivered: list[list[Event]] = field(default_factory=list)


class Network:
    """Who speaks, and which link moves next, is for chance to choose."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.hub = Hub()
        self.causality = Causality()
        self.peers = {name: Peer(Participant(f"{name}-1", name)) for name in NAMES}
        self.events: list[Event] = []
        self.broadcasts: list[dict[str, int]] = []

    def go_on(self) -> None:
        """Do one thing that can be done now."""
        possible: dict[Callable[[Peer], None], tuple[int, list[Peer]]] = {
            self.join: (4, self.those(self.may_join)),
            self.say: (6, self.those(self.may_speak)),
            self.leave: (1, self.those(self.may_speak)),
            self.reconnect: (2, self.those(lambda peer: peer.inside)),
            self.lose: (1, self.those(lambda peer: self.hub.member(peer.participant.incarnation))),
            self.carry_requests: (8, self.those(lambda peer: peer.requests)),
            self.carry_events: (8, self.those(lambda peer: self.undelivered(peer, 1))),
            self.carry_answers: (8, self.those(lambda peer: peer.answers)),
        }
        able = {act: weight for act, (weight, peers) in possible.items() if peers}
        act = self.chance.choices(list(able), list(able.values()))[0]
        act(self.chance.choice(possible[act][1]))

    def those(self, condition: Callable[[Peer], object]) -> list[Peer]:
        return [peer for peer in self.peers.values() if condition(peer)]

    def may_join(self, peer: Peer) -> bool:
        return not (peer.inside or peer.unanswered or peer.requests or self.undelivered(peer, 1))

    def may_speak(self, peer: Peer) -> bool:
        return peer.inside and not peer.leaving and bool(peer.delivered[-1])

    # What participants do.

    def join(self, peer: Peer) -> None:
        step = peer.participant.join()
        peer.inside, peer.leaving = True, False
        peer.cursor = peer.until = None
        peer.delivered.append([])
        name = peer.participant.name
        peer.joining = Join(peer.participant.incarnation, name, name, peer.participant.number, step.lamport)
        self.send(peer, step, peer.joining)

    def say(self, peer: Peer) -> None:
        for text in ["one", "two", "three"][: self.chance.randint(1, 3)]:
            message, step = peer.participant.publish(text)
            self.send(peer, step, Publish(peer.participant.incarnation, (message,)))

    def leave(self, peer: Peer) -> None:
        step = peer.participant.leave()
        self.send(peer, step, Leave(peer.participant.incarnation, peer.participant.number, step.lamport))
        peer.leaving = True

    def send(self, peer: Peer, step: steps.Send, command: Command) -> None:
        number = peer.participant.number
        assert step.id == message_id(peer.participant.incarnation, number)
        peer.sent[number] = self.causality.step(peer.participant.name, step)
        peer.unanswered[number] = command
        peer.requests.append(command)

    # What the network does.

    def carry_requests(self, peer: Peer) -> None:
        self.apply(peer, self.merged(peer))

    def carry_answers(self, peer: Peer) -> None:
        for _ in range(self.chance.randint(1, len(peer.answers))):
            self.answer(peer, *peer.answers.popleft())

    def undelivered(self, peer: Peer, together: int) -> list[Event]:
        if peer.cursor is None:
            return []
        last = len(self.events) if peer.until is None else peer.until - 1
        return self.events[peer.cursor : min(peer.cursor + together, last)]

    def carry_events(self, peer: Peer) -> None:
        travelling = self.undelivered(peer, self.chance.randint(1, 4))
        peer.cursor += len(travelling)
        self.deliver(peer, travelling)

    def reconnect(self, peer: Peer) -> None:
        """Lose what was on its way; the participant goes on behind the last event and repeats the rest."""
        peer.requests.clear()
        peer.answers.clear()
        peer.cursor = peer.until = None
        peer.requests.extend(({peer.joining.number: peer.joining} | peer.unanswered).values())

    def lose(self, peer: Peer) -> None:
        """The hub notices that a participant is gone, who may know nothing of it."""
        member = self.hub.member(peer.participant.incarnation)
        self.applied(peer, Detect(member.incarnation, member.joined, member.connection, Reason.LOST))
        self.reconnect(peer)

    # What they do to each other.

    def merged(self, peer: Peer) -> Command:
        """Take the next request off its link; publishes that wait behind one another travel together."""
        command = peer.requests.popleft()
        while isinstance(command, Publish) and peer.requests and isinstance(peer.requests[0], Publish):
            following = peer.requests.popleft()
            command = replace(command, messages=command.messages + following.messages)
        return command

    def apply(self, peer: Peer, command: Command) -> None:
        messages = command.messages if isinstance(command, Publish) else (command,)
        receipts, refusal = self.applied(peer, command)
        if refusal and len(messages) > 1:
            # All or nothing: sent again one by one, each finds its own fate.
            for message in messages:
                self.apply(peer, replace(command, messages=(message,)))
            return
        peer.answers.extend((message.number, refusal or receipts[index]) for index, message in enumerate(messages))
        if isinstance(command, Join) and not refusal:
            peer.cursor = max(receipts[0].sequence - 1, peer.participant.last - self.chance.randrange(3))

    def applied(self, peer: Peer, command: Command) -> tuple[tuple[Receipt, ...], Refusal | None]:
        outcome = self.hub.apply(command)
        for step in outcome.steps:
            if isinstance(step, steps.Receive):
                sender, _, number = step.id.rpartition(".")
                assert sender == peer.participant.incarnation
                self.causality.step("hub", step, peer.sent[int(number)])
            else:
                vector = self.causality.step("hub", step)
                if isinstance(step, steps.Broadcast):
                    self.broadcasts.append(vector)
        for event in outcome.events:
            self.events.append(event)
            if event.kind is Kind.LEFT and event.participant == peer.participant.name:
                peer.until = event.sequence
        return outcome.receipts, outcome.refusal

    def deliver(self, peer: Peer, travelling: list[Event]) -> None:
        peer.participant.welcome(EPOCH)
        peer.participant.joined()
        peer.unanswered.pop(peer.participant.joining, None)
        for step in peer.participant.deliver(travelling):
            self.causality.step(peer.participant.name, step, self.broadcasts[step.event.sequence - 1])
            assert step.lamport > step.event.lamport
            peer.delivered[-1].append(step.event)

    def answer(self, peer: Peer, number: int, answer: Receipt | Refusal) -> None:
        joining = number == peer.participant.joining
        if joining and isinstance(answer, Receipt):
            return  # a Join is answered by its own event
        if isinstance(answer, Receipt):
            for step in peer.participant.acknowledge([answer]):
                self.causality.step(peer.participant.name, step, self.broadcasts[answer.sequence - 1])
        else:
            for step in peer.participant.refuse(number, answer):
                self.causality.step(peer.participant.name, step)
        answered = peer.unanswered.pop(number, None)
        if isinstance(answered, Leave) or (joining and isinstance(answer, PreconditionFailed)):
            peer.inside = False

    # What must be true of it.

    def settle(self) -> None:
        """Let everything arrive that is on its way."""
        for peer in self.peers.values():
            while peer.requests:
                self.carry_requests(peer)
        for peer in self.peers.values():
            while peer.answers:
                self.carry_answers(peer)
            while self.undelivered(peer, 1):
                self.carry_events(peer)

    def check_clock_condition(self) -> None:
        """Lamport 1978: if a happened before b, then C(a) < C(b).

        Enough for each b and each process is the last a there: the steps of one process are in order.
        """
        at: dict[tuple[str, int], int] = {}
        for process, vector, step in self.causality.taken:
            before = {**vector, process: vector[process] - 1}
            assert all(at[other, count] < step.lamport for other, count in before.items() if count), step
            at[process, vector[process]] = step.lamport

    def check_total_order(self) -> None:
        """Every participant is delivered the same events in the same order, from its join on, without a gap."""
        assert [event.sequence for event in self.events] == list(range(1, len(self.events) + 1))
        times = [event.lamport for event in self.events]
        assert times == sorted(set(times))
        for name, peer in self.peers.items():
            for stay in peer.delivered:
                if stay:
                    first = stay[0]
                    assert (first.kind, first.participant) == (Kind.JOINED, name)
                    assert stay == self.events[first.sequence - 1 : first.sequence - 1 + len(stay)]
            if self.hub.member(peer.participant.incarnation) is not None:
                assert peer.delivered[-1][-1] == self.events[-1]

    def check_causal_order(self) -> None:
        """A message that happened before another one is delivered before it."""
        sends = {
            step.id: (process, vector) for process, vector, step in self.causality.taken if isinstance(step, steps.Send)
        }
        accepted = [sends[event.cause] for event in self.events if event.cause]
        for index, (_, vector) in enumerate(accepted):
            for process, later in accepted[index + 1 :]:
                assert vector.get(process, 0) < later[process], "the later one happened before the earlier one"

    def check_every_message_has_one_fate(self) -> None:
        """A message is broadcast once or refused once, and its sender learns which; nothing is left open."""
        broadcast = [event.cause for event in self.events if event.cause]
        assert len(broadcast) == len(set(broadcast))
        learned: list[str] = []
        for _, _, step in self.causality.taken:
            if isinstance(step, steps.Ack | steps.Refused):
                # The repeat of a Join whose stay has ended unseen is refused, though it was broadcast once.
                ended = isinstance(step, steps.Refused) and step.status == PreconditionFailed.status
                assert ended or (step.id in broadcast) == isinstance(step, steps.Ack)
                learned.append(step.id)
        assert len(learned) == len(set(learned))
        for peer in self.peers.values():
            assert not peer.unanswered


@given(chance=st.integers(0, 2**32), length=st.integers(0, 400))
@settings(max_examples=2 * settings().max_examples)
def test_time_and_order_keep_their_promises(chance: int, length: int) -> None:
    network = Network(random.Random(chance))
    for _ in range(length):
        network.go_on()
    network.settle()
    network.check_clock_condition()
    network.check_total_order()
    network.check_causal_order()
    network.check_every_message_has_one_fate()
