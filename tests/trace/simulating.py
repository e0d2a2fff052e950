"""Runs that keep every rule, made without processes: a hub, participants, chance, and logs as they would write them.

Links are in order each (FIFO), and independent of one another. Processes crash and start anew, links break and
Joins are repeated, messages are refused, the service begins new epochs, or goes on with the old one after a crash:
then it writes again what it may not have written. Strangers, who keep no log, take names.

A request whose answer was lost may have been accepted, and its repeat be refused: a Join because somebody has the
name in a new epoch, or because the service turns away whoever comes from a busy address; a Leave because a new epoch
does not know the session.
"""

import itertools
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chitty import journal
from chitty.core import steps
from chitty.core.errors import InvalidArgument, LimitExceeded, PreconditionFailed, Refusal, UnknownSession
from chitty.core.event import Command, Detect, Event, Join, Kind, Leave, Message, Publish, Reason, Receipt
from chitty.core.hub import Hub, Member, Outcome
from chitty.core.participant import Participant

NAMES = ["alice", "bob", "carol", "dave", "erin", "frank"]
TEXTS = ["one", "two", 'said "so"', "drei\u202e", "\\", "x" * 128, "vier\nfünf"]


class Wall:
    """Wall time that goes on a little with every record."""

    def __init__(self) -> None:
        self._now = 1_795_403_510.0

    def head(self) -> str:
        self._now += 0.000137
        return f"{journal.wall_time(self._now)} INFO"


class Logged:
    """One process's log; each life begins with a newline of its own and numbers from 1."""

    def __init__(self, name: str, wall: Wall) -> None:
        self.name = name
        self.lines: list[str] = []
        self._wall = wall
        self._written = 0

    def begin(self, start: steps.Start) -> None:
        self.lines.append("")
        self._written = 0
        self.write([start])

    def write(self, taken: Iterable[steps.Step], epoch: str = "", *, again: bool = False) -> None:
        written = journal.entries(taken, self._written + 1, epoch, again=again)
        self._written += len(written)
        if written:
            self.lines += journal.lines(self._wall.head(), self.name, written).split("\n")


@dataclass
class Peer:
    """One life of a participant, its links, and the hub's end of its subscription."""

    participant: Participant
    log: Logged
    unanswered: dict[int, Command] = field(default_factory=dict)
    requests: deque[Command] = field(default_factory=deque)
    answers: deque[tuple[int, Receipt | Refusal]] = field(default_factory=deque)
    joining: Join | None = None
    epoch: int = -1
    cursor: int | None = None
    until: int | None = None
    inside: bool = False
    leaving: bool = False
    running: bool = True
    broken: bool = False  # its stream was, after its leave: it does not know whether it heard all
    left: bool = False  # its leave was receipted


@dataclass(frozen=True)
class Applied:
    """What the hub did last: whose command it was, the clock before it, and its steps."""

    peer: Peer | None
    number: int
    clock: int
    steps: tuple[steps.Step, ...]


class Run:
    """One run: `go_on` does one thing that can be done now; `files` are its logs."""

    def __init__(self, seed: int, names: list[str] | None = None) -> None:
        self.chance = random.Random(seed)
        self.wall = Wall()
        self.logs = {name: Logged(name, self.wall) for name in [journal.HUB, *(names or NAMES)]}
        self.lives = itertools.count(1)
        self.peers: dict[str, Peer] = {}
        self.strangers: dict[str, Member] = {}
        self.epochs = 0
        self.begin_epoch()
        for name in names or NAMES:
            self.start(name)

    @property
    def files(self) -> dict[str, str]:
        named = {("server" if name == journal.HUB else name): log for name, log in self.logs.items()}
        return {f"{name}.log": "".join(f"{line}\n" for line in log.lines) for name, log in named.items()}

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")

    # Processes.

    def begin_epoch(self) -> None:
        self.epochs += 1
        self.epoch = f"{self.epochs:08x}"
        self.hub = Hub()
        self.strangers.clear()
        self.events: list[Event] = []
        self.done: list[Applied] = []
        self.delivered = 0
        self.logs[journal.HUB].begin(steps.Start(0, "", 1, "0.1.0", self.epoch))

    def restart_hub(self) -> None:
        if self.chance.random() < 0.5:
            for peer in self.peers.values():  # a service that drains gives what it owes
                while self.undelivered(peer):
                    self.carry_events(peer)
            self.logs[journal.HUB].write([steps.End(self.hub.time, "SIGTERM")])
        self.begin_epoch()
        for peer in self.peers.values():
            peer.requests.clear()
            peer.answers.clear()
            peer.cursor = peer.until = None

    def resume_hub(self) -> None:
        """End the hub and let it go on over its durable log, in good order or after a crash."""
        log = self.logs[journal.HUB]
        mark = len(self.done)
        if self.chance.random() < 0.3:
            log.write([steps.End(self.hub.time, "SIGTERM")])
        else:
            mark -= self.chance.randint(0, min(5, mark))
            if mark < len(self.done) and self.is_unknown(self.done[-1]):
                lost = self.chance.randint(0, len(self.done[-1].steps))
                del log.lines[len(log.lines) - lost :]
        log.begin(
            steps.Start(self.done[mark].clock if mark < len(self.done) else self.hub.time, "", 1, "0.1.0", self.epoch)
        )
        for applied in self.done[mark:]:
            log.write(applied.steps, self.epoch, again=True)
        for peer in self.peers.values():
            if peer.running and peer.inside:
                self.reconnect(peer)
            else:
                peer.broken = peer.broken or bool(self.undelivered(peer))
                peer.requests.clear()
                peer.answers.clear()
                peer.cursor = peer.until = None

    def is_unknown(self, applied: Applied) -> bool:
        """Tell whether nobody has heard of it yet, as is so while its lines are not written."""
        sent = [step.event.sequence for step in applied.steps if isinstance(step, steps.Broadcast)]
        answers = applied.peer.answers if applied.peer is not None else ()
        answered = all(number != applied.number for number, _ in answers)
        return bool(sent) and min(sent) > self.delivered and not answered

    def start(self, name: str) -> None:
        incarnation = f"{next(self.lives):016x}"
        peer = self.peers[name] = Peer(Participant(incarnation, name), self.logs[name])
        peer.log.begin(steps.Start(0, incarnation, 1, "0.1.0"))
        self.join(peer)

    def crash(self, peer: Peer) -> None:
        peer.running = False
        if self.hub.member(peer.participant.incarnation):
            self.lose(peer)

    def end(self, peer: Peer) -> None:
        peer.running = False
        if peer.broken:
            reason = "left, but its stream broke before its end"
        else:
            reason = "left" if peer.left else "stopped while it did not belong"
        peer.log.write([steps.End(peer.participant.time, reason)])

    # What participants do.

    def join(self, peer: Peer) -> None:
        step = peer.participant.join()
        who = peer.participant
        peer.log.write([step])
        peer.inside = True
        peer.leaving = peer.left = False
        peer.joining = Join(who.incarnation, who.name, who.name, who.number, step.lamport)
        peer.epoch = -1
        peer.cursor = peer.until = None
        peer.unanswered[who.number] = peer.joining
        peer.requests.append(peer.joining)

    def say(self, peer: Peer) -> None:
        for _ in range(self.chance.randint(1, 3)):
            text = self.chance.choice(TEXTS) if self.chance.random() < 0.9 else "x" * 129
            message, step = peer.participant.publish(text)
            peer.log.write([step])
            self.request(peer, Publish(peer.participant.incarnation, (message,)))

    def leave(self, peer: Peer) -> None:
        step = peer.participant.leave()
        peer.log.write([step])
        peer.leaving = True
        self.request(peer, Leave(peer.participant.incarnation, peer.participant.number, step.lamport))

    def request(self, peer: Peer, command: Command) -> None:
        peer.unanswered[peer.participant.number] = command
        peer.requests.append(command)

    # What the network does.

    def reconnect(self, peer: Peer) -> None:
        """Lose what was on its way; go on behind the last event, or join anew in another epoch."""
        peer.requests.clear()
        peer.answers.clear()
        peer.cursor = peer.until = None
        if peer.epoch not in {-1, self.epochs}:
            if peer.leaving:
                peer.broken = True
                peer.answers.append((peer.participant.number, UnknownSession("not a participant's: join first")))
            else:
                self.join(peer)
            return
        assert peer.joining is not None
        peer.requests.append(peer.joining)
        if peer.epoch == self.epochs:
            self.repeat(peer)

    def repeat(self, peer: Peer) -> None:
        """Send again what has no answer yet: only once its Join was answered does a participant speak."""
        peer.requests.extend(command for command in peer.unanswered.values() if command is not peer.joining)

    def lose(self, peer: Peer) -> None:
        member = self.hub.member(peer.participant.incarnation)
        assert member is not None
        self.applied(peer, Detect(member.incarnation, member.joined, member.connection, Reason.LOST))
        if peer.running:
            self.reconnect(peer)

    def carry_request(self, peer: Peer) -> None:
        command = peer.requests.popleft()
        message = command.messages[0] if isinstance(command, Publish) else command
        answer: Receipt | Refusal
        if isinstance(message, Message) and len(message.text) > 128:
            answer = InvalidArgument("too long")
        elif isinstance(command, Join) and self.chance.random() < 0.02:
            answer = LimitExceeded("as many participants are connected from this address as may be")
        else:
            receipts, refusal = self.applied(peer, command)
            answer = refusal or receipts[0]
            if isinstance(command, Join) and refusal is None:
                peer.cursor = max(receipts[0].sequence - 1, peer.participant.last if peer.epoch == self.epochs else 0)
        assert not isinstance(message, Detect)
        peer.answers.append((message.number, answer))

    def applied(self, peer: Peer, command: Command) -> tuple[tuple[Receipt, ...], Refusal | None]:
        outcome = self.hub_applies(command, peer)
        for event in outcome.events:
            if event.kind is Kind.LEFT and event.participant == peer.participant.name:
                peer.until = event.sequence
        return outcome.receipts, outcome.refusal

    def hub_applies(self, command: Command, peer: Peer | None = None) -> Outcome:
        """Let the hub apply a command, of a peer or of a stranger."""
        clock = self.hub.time
        outcome = self.hub.apply(command)
        number = outcome.receipts[0].number if outcome.receipts else 0
        if outcome.steps:
            self.done.append(Applied(peer, number, clock, outcome.steps))
        self.logs[journal.HUB].write(outcome.steps, self.epoch)
        self.events += outcome.events
        return outcome

    def undelivered(self, peer: Peer) -> list[Event]:
        if peer.cursor is None or not peer.running:
            return []
        last = len(self.events) if peer.until is None else peer.until - 1
        return self.events[peer.cursor : min(peer.cursor + 4, last)]

    def carry_events(self, peer: Peer) -> None:
        travelling = self.undelivered(peer)[: self.chance.randint(1, 4)]
        assert peer.cursor is not None
        peer.cursor += len(travelling)
        self.delivered = max(self.delivered, peer.cursor)
        who = peer.participant
        for number in who.welcome(self.epoch):
            peer.unanswered.pop(number, None)
        who.joined()
        peer.unanswered.pop(who.joining, None)
        if peer.epoch != self.epochs:
            peer.epoch = self.epochs
            self.repeat(peer)
        peer.log.write(who.deliver(travelling))

    def carry_answer(self, peer: Peer) -> None:
        number, answer = peer.answers.popleft()
        who = peer.participant
        joining = number == who.joining
        if joining and isinstance(answer, Receipt):
            return  # a Join is answered by its own event
        if joining and isinstance(answer, PreconditionFailed):
            peer.unanswered.pop(number, None)
            if peer.leaving:  # what it still waits for is the answer to its leave
                peer.broken = True
                return
            peer.inside = False
            if not self.undelivered(peer):
                self.join(peer)
            return
        if joining:
            self.turn_away(peer, answer)
            return
        if isinstance(answer, Receipt):
            peer.log.write(who.acknowledge([answer]))
        else:
            peer.log.write(who.refuse(number, answer))
        if isinstance(peer.unanswered.pop(number, None), Leave):
            peer.inside, peer.left = False, isinstance(answer, Receipt)

    def turn_away(self, peer: Peer, refusal: Refusal) -> None:
        """End a participant whose Join was refused; if it had been accepted before, the hub will miss it."""
        if peer.leaving:  # what it still waits for is the answer to its leave
            peer.broken = True
            return
        who = peer.participant
        refused = who.refuse(who.joining, refusal)  # nothing, when a repeat was refused after it had joined
        peer.log.write([*refused, steps.End(who.time, f"refused: {refusal}")])
        peer.running = peer.inside = False
        peer.requests.clear()
        peer.answers.clear()
        if self.hub.member(who.incarnation):
            self.lose(peer)

    # Chance.

    def go_on(self) -> None:
        acts = [
            (self.say, 6, lambda peer: peer.inside and not peer.leaving and peer.epoch == self.epochs),
            (self.leave, 0.4, lambda peer: peer.inside and not peer.leaving and peer.epoch == self.epochs),
            (self.rejoin, 2, lambda peer: not peer.inside and not peer.broken),
            (self.end, 1, lambda peer: not peer.inside and not self.undelivered(peer)),
            (self.crash, 0.15, lambda peer: True),
            (self.reconnect, 0.5, lambda peer: peer.inside),
            (self.lose, 0.2, lambda peer: self.hub.member(peer.participant.incarnation)),
            (self.take_name, 0.2, lambda peer: not self.hub.holder(peer.participant.name)),
            (self.give_name_back, 0.5, lambda peer: peer.participant.name in self.strangers),
            (self.carry_request, 8, lambda peer: peer.requests),
            (self.carry_events, 12, self.undelivered),
            (self.carry_answer, 8, lambda peer: peer.answers),
        ]
        alive = [peer for peer in self.peers.values() if peer.running]
        able = [(act, weight, those) for act, weight, can in acts if (those := [peer for peer in alive if can(peer)])]
        gone = [name for name, peer in self.peers.items() if not peer.running]
        choice = self.chance.random()
        if gone and choice < 0.02:
            self.start(self.chance.choice(gone))
        elif choice > 0.996:
            self.restart_hub()
        elif choice > 0.99:
            self.resume_hub()
        elif able:
            act, _, those = self.chance.choices(able, [weight for _, weight, _ in able])[0]
            act(self.chance.choice(those))

    def take_name(self, peer: Peer) -> None:
        """Let a stranger join by a participant's name."""
        name = peer.participant.name
        outcome = self.hub_applies(Join(f"{next(self.lives):016x}", name, name, 1, 1))
        assert outcome.member is not None
        self.strangers[name] = outcome.member

    def give_name_back(self, peer: Peer) -> None:
        gone = self.strangers.pop(peer.participant.name)
        reason = self.chance.choice([Reason.LOST, Reason.EXPELLED])
        self.hub_applies(Detect(gone.incarnation, gone.joined, gone.connection, reason))

    def rejoin(self, peer: Peer) -> None:
        if not (peer.unanswered or peer.requests or self.undelivered(peer)):
            self.join(peer)

    def settle(self) -> None:
        """Let everything arrive that is on its way, and everybody leave; end in good order."""
        for peer in [peer for peer in self.peers.values() if peer.running]:
            for _ in range(1000):
                if peer.requests:
                    self.carry_request(peer)
                elif self.undelivered(peer):
                    self.carry_events(peer)
                elif peer.answers:
                    self.carry_answer(peer)
                else:
                    break


def calm(participants: int, lines: int) -> Run:
    """Return a run without faults, of about so many lines: all speak in turn, everything arrives at once."""
    run = Run(1, [f"p{number}" for number in range(participants)])
    peers = list(run.peers.values())
    while sum(len(log.lines) for log in run.logs.values()) < lines:
        for peer in peers:
            if peer.inside and not peer.requests and not peer.answers:
                message, step = peer.participant.publish(run.chance.choice(TEXTS))
                peer.log.write([step])
                run.request(peer, Publish(peer.participant.incarnation, (message,)))
        for peer in peers:
            while peer.requests:
                run.carry_request(peer)
        for peer in peers:
            while run.undelivered(peer):
                run.carry_events(peer)
            while peer.answers:
                run.carry_answer(peer)
    return run


if __name__ == "__main__":
    import sys

    calm(int(sys.argv[2]), int(sys.argv[3])).write(Path(sys.argv[1]))
