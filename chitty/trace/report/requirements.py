"""Requirement by requirement, what in a run's logs documents it. Judges no more than whether something is there.

Whether the run kept its promises is for `chitty.trace.check`. What a run did not show is said to be missing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from chitty.core.names import MAX_TEXT
from chitty.trace.causality import Causality
from chitty.trace.history import Event, Fate, History
from chitty.trace.report.sequence import Call, calls

CLIENTS = 3
"""How many participants the assignment asks for at least."""

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement, and what the logs have for it.

    Attributes:
        name: a few words.
        text: what is required.
        shown: whether this run documents it.
        told: what the run did, in a sentence.
        places: of the lines that document it, `file:line`, in causal order.
    """

    name: str
    text: str
    shown: bool
    told: str
    places: tuple[str, ...]


class Run:
    """What a run's history has to offer as evidence."""

    def __init__(self, history: History, causality: Causality) -> None:
        self.history = history
        self.causality = causality

    @cached_property
    def calls(self) -> list[Call]:
        """Every broadcast with what led to it and what came of it, in causal order."""
        return [call for _, call in calls(self.causality)]

    def of(self, kind: str, op: str = "") -> list[Event]:
        """Return the events of a kind, and of an op, in causal order."""
        return [one for one in self.causality.order if one.kind == kind and op in {"", one.says.op}]

    def places(self, events: Iterable[Event]) -> tuple[str, ...]:
        """Return where events are written, in causal order; of many deliveries the first ones."""
        wanted = set(events)
        ordered = [event for event in self.causality.order if event in wanted]
        delivered = [event for event in ordered if event.kind == "deliver"]
        left_out = set(delivered[_SHOWN:])
        return tuple(event.place for event in ordered if event not in left_out)

    def fullest(self, op: str) -> Call | None:
        """Return the call of an op that most were told of, the first of them."""
        return max((call for call in self.calls if call.op == op), key=lambda call: len(call.events), default=None)


def examine(history: History, causality: Causality) -> list[Requirement]:
    """Return what the logs have for each requirement, in the order of the assignment."""
    run = Run(history, causality)
    return [part(run) for part in PARTS]


def _grpc(run: Run) -> Requirement:
    serving = [prose.place for prose in run.history.prose if prose.process == "hub" and "listening" in prose.text]
    received = run.of("receive")
    first = run.calls[0].events if run.calls else ()
    return Requirement(
        "Service and API over gRPC",
        "Chitty-Chat is a distributed service that lets its clients chat. Nodes pass all messages by gRPC.",
        bool(received),
        f"The service received {_number(len(received), 'message')} by gRPC, and answered "
        f"{_number(len(run.of('broadcast')), 'broadcast')} on the participants' streams.",
        (*serving[:1], *run.places(first)),
    )


def _publish(run: Run) -> Requirement:
    said = [call for call in run.calls if call.op == "publish"]
    authors = len({call.broadcast.says.participant for call in said})
    call = run.fullest("publish")
    own = [event for event in call.events if event.kind in {"send", "receive", "ack"}] if call else []
    return Requirement(
        "Publish at any time",
        "A client publishes a valid message, at any time, by a gRPC call.",
        bool(said),
        f"{_number(len(said), 'message')} of {_number(authors, 'participant')} {_were(len(said))} accepted.",
        run.places(own),
    )


def _limit(run: Run) -> Requirement:
    sent = {event.says.id: event for event in run.of("send", "publish")}
    accepted = [call.broadcast for call in run.calls if call.op == "publish"]
    longest = max(accepted, key=lambda event: len(event.says.text), default=None)
    refused = [
        event
        for event in run.of("refused", "publish")
        if event.says.id in sent and len(sent[event.says.id].says.text) > MAX_TEXT
    ]
    told = f"The longest message accepted has {len(longest.says.text) if longest else 0} characters. "
    if refused:
        told += f"{_number(len(refused), 'longer message')} {_were(len(refused))} refused; "
        told += f"the first had {len(sent[refused[0].says.id].says.text)} characters."
    else:
        told += "In this run nobody tried a longer one than is allowed."
    notes = [
        prose.place
        for prose in run.history.prose
        if prose.process == "hub" and "refused Publish" in prose.text and "characters" in prose.text
    ]
    tried = [event for one in refused[:1] for event in (sent[one.says.id], one)]
    shown = [longest] if longest is not None else []
    return Requirement(
        f"At most {MAX_TEXT} characters",
        f"A valid message is a string of UTF-8 encoded text of at most {MAX_TEXT} characters.",
        bool(refused),
        told,
        (*run.places(shown), *run.places(tried), *(notes[:1] if refused else ())),
    )


def _broadcast(run: Run) -> Requirement:
    said = [call for call in run.calls if call.op == "publish"]
    told = sum(event.kind == "deliver" for call in said for event in call.events)
    call = run.fullest("publish")
    events = [event for event in call.events if event.kind in {"broadcast", "deliver"}] if call else []
    return Requirement(
        "Broadcast of every message",
        "The service broadcasts every published message, with its logical timestamp, to all participants.",
        told > 0,
        f"{_number(len(said), 'broadcast')} of messages made {_number(told, 'delivery', 'deliveries')}; `stamped` is "
        "the timestamp that came with each.",
        run.places(events),
    )


def _logged(run: Run) -> Requirement:
    delivered = run.of("deliver", "publish")
    counts = Counter(event.life for event in delivered)
    most = max(counts, key=lambda life: counts[life], default=None)
    lines = [event for event in delivered if event.life is most]
    return Requirement(
        "Clients log what they receive",
        "A client that receives a broadcast message writes it and the logical timestamp to its log.",
        bool(lines),
        f"{_number(len(run.of('deliver')), 'delivery', 'deliveries')} {_were(len(delivered))} logged by "
        f"{_number(len({event.process for event in run.of('deliver')}), 'participant')}; here are the first of one.",
        run.places(lines[:4]),
    )


def _join(run: Run) -> Requirement:
    joins = [call for call in run.calls if call.op == "join"]
    speech = next((call.broadcast for call in run.calls if call.op == "publish"), None)
    late = [call for call in joins if speech is not None and run.causality.before(speech, call.broadcast)]
    call = max(late or joins, key=lambda call: len(call.events), default=None)
    told = f"The run has {_number(len(joins), 'join')}"
    told += f", {len(late)} of them after the first message had been broadcast." if late else "."
    return Requirement(
        "Join at any time",
        "A client can join at any time. “Participant X joined Chitty-Chat at Lamport time L” is then broadcast to "
        "all participants, including the new one.",
        bool(joins),
        told,
        run.places(call.events) if call else (),
    )


def _leave(run: Run) -> Requirement:
    leaves = [call for call in run.calls if call.op == "leave"]
    asked = [call for call in leaves if call.broadcast.says.reason == "asked"]
    call = max(asked, key=lambda call: len(call.events), default=None)
    return Requirement(
        "Leave at any time",
        "A client can leave at any time. “Participant X left Chitty-Chat at Lamport time L” is then broadcast to all "
        "remaining participants.",
        bool(asked),
        f"The run has {_number(len(leaves), 'leave')}, {len(asked)} of them asked for.",
        run.places(call.events) if call else (),
    )


def _drop(run: Run) -> Requirement:
    lost = [call for call in run.calls if call.op == "leave" and call.broadcast.says.reason != "asked"]
    crashed = [life for life in run.history.participants if life.fate is Fate.CRASHED]
    told = f"{_number(len(lost), 'participant')} vanished, and the service noticed by itself."
    return Requirement(
        "Drop out",
        "A client that drops out without a word is announced to the others as well.",
        bool(lost),
        told if lost else "In this run nobody vanished." if not crashed else "Nobody was left to be told.",
        run.places(lost[0].events) if lost else (),
    )


def _processes(run: Run) -> Requirement:
    starts = run.of("start")
    pids = {event.says.pid for event in starts}
    return Requirement(
        "A process of its own",
        "Every client is a separate process.",
        len(pids) > 1,
        f"{_number(len(starts), 'process', 'processes')} started, with {_number(len(pids), 'process id')}.",
        run.places(starts[: _SHOWN + 1]),
    )


def _three(run: Run) -> Requirement:
    joins = [call.broadcast for call in run.calls if call.op == "join"]
    most = max((event.says.members for event in joins), default=0)
    third = next((at for at, event in enumerate(joins) if event.says.members >= CLIENTS), len(joins) - 1)
    return Requirement(
        f"At least {CLIENTS} clients",
        f"The system can be started with at least {CLIENTS} clients.",
        most >= CLIENTS,
        f"At most {_number(most, 'participant')} belonged at one time; `members` counts them.",
        run.places(joins[max(0, third - CLIENTS + 1) : third + 1]),
    )


def _all_calls(run: Run) -> Requirement:
    counts = Counter(event.kind for event in run.causality.order)
    told = ", ".join(f"{counts[kind]:,} {kind}" for kind in _CALLS if counts[kind])
    firsts = [run.of(kind, op)[:1] for op in ("join", "publish", "leave") for kind in ("receive", "broadcast")]
    return Requirement(
        "All calls are logged",
        "Every call of the service is logged, by both ends: Join, Publish, Leave, and each broadcast.",
        bool(counts["receive"] and counts["broadcast"]),
        f"Events in the logs: {told}.",
        run.places(event for found in firsts for event in found),
    )


_CALLS = ("send", "receive", "detect", "broadcast", "deliver", "ack", "refused")

PARTS: Sequence[Callable[[Run], Requirement]] = (
    _grpc,
    _publish,
    _limit,
    _broadcast,
    _logged,
    _join,
    _leave,
    _drop,
    _processes,
    _three,
    _all_calls,
)
"""What is looked for, in the order of the report."""


def _number(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
