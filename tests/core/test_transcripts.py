"""Transcripts: what the hub and the participant answer, as scripts that a person can read.

A file of tests/transcripts is a list of blocks: what is put in, `----`, and what comes of it: the log lines of
the process without their wall time, then receipts or the refusal, then where the process stands.
`pytest --rewrite` writes what comes of it anew; only commit the changes if you understand what caused them.

The hub (tests/transcripts/hub). A session is written by its incarnation:

    limits participants=2 receipts=3 departed=1     before anything else, if at all
    join NAME session=a number=1 lamport=1
    publish a 2@5 "hello" 3@6 "again"               NUMBER@LAMPORT "TEXT", each
    leave a 4@9                                     NUMBER@LAMPORT
    detect a joined=1 connection=1 lost             the sequence at which the membership began, which of its
                                                    connections (the first, unless said), and the reason
    restore                                         go on as a hub that was made from the state of this one
    who                                             who belongs, and since which sequence

The participant (tests/transcripts/participant), a process with incarnation `a`:

    join | joined | leave | publish "hello"
    welcome EPOCH                                   says which messages it gives up, if any
    deliver                                         then a line an event: SEQUENCE@LAMPORT OP NAME [TEXT]
    ack 2 4@11                                      NUMBER SEQUENCE@LAMPORT, each
    refuse 2 INVALID_ARGUMENT "the message is empty"
"""

import itertools
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from chitty import journal
from chitty.core.errors import refusal_of
from chitty.core.event import Command, Detect, Event, Join, Kind, Leave, Limits, Message, Publish, Reason, Receipt
from chitty.core.hub import Hub
from chitty.core.names import fold
from chitty.core.participant import Participant
from chitty.core.steps import Step

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
EPOCH = "e1"


class _Lines:
    """The log lines of one process, numbered on from block to block."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def of(self, taken: Iterable[Step]) -> list[str]:
        return [journal.entries([step], next(self._numbers), EPOCH)[0] for step in taken]


class HubScript:
    """Plays one script of a hub."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.lines = _Lines()

    def play(self, asked: str) -> list[str]:
        verb, *words = shlex.split(asked)
        if verb == "limits":
            self.hub = Hub(Limits(**{key: int(value) for key, value in (word.split("=") for word in words)}))
            return self.where()
        if verb == "restore":
            self.hub = Hub.restore(self.hub.state())
            return self.where()
        if verb == "who":
            return [f"{member.name} since {member.joined}" for member in self.hub.members] + self.where()
        return self.apply(_command(verb, words)) + self.where()

    def apply(self, command: Command) -> list[str]:
        outcome = self.hub.apply(command)
        said = self.lines.of(outcome.steps)
        said += [
            f"receipt number={receipt.number} seq={receipt.sequence} lamport={receipt.lamport}"
            for receipt in outcome.receipts
        ]
        if outcome.refusal is not None:
            field = f" {outcome.refusal.field}" if outcome.refusal.field else ""
            said.append(f"{outcome.refusal.status}{field}: {outcome.refusal}")
        return said or ["nothing"]

    def where(self) -> list[str]:
        members = " ".join(member.name for member in self.hub.members) or "nobody"
        return [f"=> time {self.hub.time}, sequence {self.hub.sequence}, {members}"]


def _command(verb: str, words: list[str]) -> Command:
    match verb, words:
        case "join", [name, *pairs]:
            given = dict(pair.split("=") for pair in pairs)
            return Join(given["session"], name, fold(name), int(given["number"]), int(given["lamport"]))
        case "publish", [session, *messages]:
            return Publish(
                session,
                tuple(Message(*_pair(at), text) for at, text in zip(messages[::2], messages[1::2], strict=True)),
            )
        case "leave", [session, at]:
            return Leave(session, *_pair(at))
        case "detect", [session, *pairs, reason]:
            given = dict(pair.split("=") for pair in pairs)
            return Detect(session, int(given["joined"]), int(given.get("connection", 1)), Reason(reason))
    raise AssertionError(f"no such command: {verb} {words}")


class ParticipantScript:
    """Plays one script of a participant, alice, whose incarnation is `a`."""

    def __init__(self) -> None:
        self.participant = Participant("a", "alice")
        self.lines = _Lines()

    def play(self, asked: str) -> list[str]:
        first, *rest = asked.split("\n")
        verb, *words = shlex.split(first)
        alice = self.participant
        if verb == "welcome":
            said = [f"gives up {number}" for number in alice.welcome(*words)]
        else:
            said = self.lines.of(self.steps(verb, words, [shlex.split(line) for line in rest]))
        where = f"=> time {alice.time}, number {alice.number}, epoch {alice.epoch or 'unknown'}, last {alice.last}"
        return [*(said or ["nothing"]), where]

    def steps(self, verb: str, words: list[str], rest: list[list[str]]) -> Iterable[Step]:  # noqa: PLR0911 - a table
        alice = self.participant
        match verb, words:
            case "join", []:
                return [alice.join()]
            case "joined", []:
                alice.joined()
                return []
            case "publish", [text]:
                message, step = alice.publish(text)
                assert (message.number, message.stamped, message.text) == (alice.number, step.lamport, text)
                return [step]
            case "leave", []:
                return [alice.leave()]
            case "deliver", []:
                return alice.deliver(_event(*line) for line in rest)
            case "ack", receipts:
                pairs = zip(receipts[::2], receipts[1::2], strict=True)
                return alice.acknowledge([Receipt(int(number), *_pair(at)) for number, at in pairs])
            case "refuse", [number, status, why]:
                return alice.refuse(int(number), refusal_of(status, why))
        raise AssertionError(f"no such input: {verb} {words}")


def _event(at: str, kind: str, name: str, text: str = "...") -> Event:
    sequence, lamport = _pair(at)
    return Event(sequence, lamport, Kind(kind), name, text)


def _pair(word: str) -> tuple[int, int]:
    first, second = word.split("@")
    return int(first), int(second)


def _played(text: str, play: Callable[[str], list[str]]) -> str:
    """Return a transcript with what comes of its inputs now; comments and order stay."""
    written = []
    for block in text.strip("\n").split("\n\n"):
        asked = block.split("\n----")[0]
        comment = [line for line in asked.split("\n") if line.startswith("#")]
        put_in = [line for line in asked.split("\n") if not line.startswith("#")]
        written.append("\n".join([*comment, *put_in, "----", *play("\n".join(put_in))] if put_in else comment))
    return "\n\n".join(written) + "\n"


@pytest.mark.parametrize(
    "path", sorted(TRANSCRIPTS.glob("*/*.txt")), ids=lambda path: str(path.relative_to(TRANSCRIPTS).with_suffix(""))
)
def test_a_transcript_still_holds(path: Path, rewrite: bool) -> None:
    script = {"hub": HubScript, "participant": ParticipantScript}[path.parent.name]()
    written = path.read_text(encoding="utf-8")
    played = _played(written, script.play)
    if rewrite:
        path.write_text(played, encoding="utf-8")
    else:
        assert written == played


def test_there_are_transcripts_of_both_sides() -> None:
    assert {path.parent.name for path in TRANSCRIPTS.glob("*/*.txt")} == {"hub", "participant"}
