"""What a log line is: exactly, for every kind of step; and that nothing from outside can break or forge one."""

import itertools
import json
import string
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chitty import journal
from chitty.core import steps
from chitty.core.errors import InvalidArgument, NameTaken
from chitty.core.event import Event, Join, Kind, Publish, Reason, announcement
from chitty.core.hub import Hub
from chitty.core.names import normalise
from chitty.core.participant import Participant

HEAD = "2026-11-23T03:11:50.123456Z INFO"
ALICE = "9f3ac1d27be04411"
EPOCH = "5b1e77"

HELLO = Event(4, 11, Kind.PUBLISHED, "alice", "hello", f"{ALICE}.2")
JOINED = Event(1, 3, Kind.JOINED, "alice", announcement(Kind.JOINED, "alice", 3), f"{ALICE}.1")
ASKED = Event(5, 13, Kind.LEFT, "bob", announcement(Kind.LEFT, "bob", 13), "00c0ffee00c0ffee.7", Reason.ASKED)
LOST = Event(6, 15, Kind.LEFT, "bob", announcement(Kind.LEFT, "bob", 15), reason=Reason.LOST)

LINES = {
    steps.Start(0, ALICE, 4711, "0.1.0"): f"start lamport=0 n=1 format=1 incarnation={ALICE} pid=4711 version=0.1.0",
    steps.Start(7, "", 4711, "0.1.0", EPOCH): "start lamport=7 n=1 format=1 epoch=5b1e77 pid=4711 version=0.1.0",
    steps.Send(1, Kind.JOINED, f"{ALICE}.1"): f"send lamport=1 n=1 op=join id={ALICE}.1",
    steps.Send(9, Kind.PUBLISHED, f"{ALICE}.2", "hello"): f'send lamport=9 n=1 op=publish id={ALICE}.2 text="hello"',
    steps.Send(9, Kind.LEFT, f"{ALICE}.3"): f"send lamport=9 n=1 op=leave id={ALICE}.3",
    steps.Receive(10, Kind.PUBLISHED, f"{ALICE}.2", 9, "alice"): (
        f"receive lamport=10 n=1 op=publish id={ALICE}.2 stamped=9 participant=alice"
    ),
    steps.Detect(14, "bob", "00c0ffee00c0ffee", Reason.LOST): (
        "detect lamport=14 n=1 op=leave participant=bob incarnation=00c0ffee00c0ffee reason=lost"
    ),
    steps.Broadcast(HELLO, 3): (
        f"broadcast lamport=11 n=1 op=publish epoch=5b1e77 seq=4 cause={ALICE}.2 members=3"
        ' participant=alice text="hello"'
    ),
    steps.Broadcast(JOINED, 1): (
        f"broadcast lamport=3 n=1 op=join epoch=5b1e77 seq=1 cause={ALICE}.1 members=1"
        ' participant=alice text="Participant alice joined Chitty-Chat at Lamport time 3"'
    ),
    steps.Broadcast(ASKED, 2): (
        "broadcast lamport=13 n=1 op=leave epoch=5b1e77 seq=5 cause=00c0ffee00c0ffee.7 members=2"
        ' participant=bob reason=asked text="Participant bob left Chitty-Chat at Lamport time 13"'
    ),
    steps.Broadcast(LOST, 0): (
        "broadcast lamport=15 n=1 op=leave epoch=5b1e77 seq=6 members=0"
        ' participant=bob reason=lost text="Participant bob left Chitty-Chat at Lamport time 15"'
    ),
    steps.Deliver(12, EPOCH, HELLO): (
        'deliver lamport=12 n=1 op=publish epoch=5b1e77 seq=4 stamped=11 participant=alice text="hello"'
    ),
    steps.Deliver(16, EPOCH, LOST): (
        "deliver lamport=16 n=1 op=leave epoch=5b1e77 seq=6 stamped=15 participant=bob reason=lost"
        ' text="Participant bob left Chitty-Chat at Lamport time 15"'
    ),
    steps.Ack(12, Kind.PUBLISHED, f"{ALICE}.2", EPOCH, 4, 11): (
        f"ack lamport=12 n=1 op=publish id={ALICE}.2 epoch=5b1e77 seq=4 stamped=11"
    ),
    steps.Refused(2, Kind.JOINED, f"{ALICE}.1", NameTaken.status, "name 'alice' is taken: choose another one"): (
        f"refused lamport=2 n=1 op=join id={ALICE}.1 status=ALREADY_EXISTS"
        """ reason="name 'alice' is taken: choose another one\""""
    ),
    steps.End(20, "SIGTERM"): 'end lamport=20 n=1 reason="SIGTERM"',
}


def line_of(step: steps.Step, process: str = "alice") -> str:
    return journal.lines(HEAD, process, journal.entries([step], 1, EPOCH))


# How steps are written.


@pytest.mark.parametrize(
    ("step", "entry"), LINES.items(), ids=lambda value: value.split()[0] if isinstance(value, str) else ""
)
def test_a_step_is_written_as_one_line(step: steps.Step, entry: str) -> None:
    assert line_of(step) == f"{HEAD} alice {entry}"


def test_there_is_a_line_for_every_kind_of_step() -> None:
    assert {type(step) for step in LINES} == set(steps.Step.__args__)
    assert {entry.split()[0] for entry in LINES.values()} == journal.EVENTS


def test_the_table_of_fields_names_what_is_written_in_its_order() -> None:
    written: dict[str, list[list[str]]] = {}
    for step in LINES:
        for again in (False, True) if isinstance(step, steps.Receive | steps.Detect | steps.Broadcast) else (False,):
            (entry,) = journal.entries([step], 1, EPOCH, again=again)
            record = journal.parse(journal.lines(HEAD, "alice", [entry]))
            assert record is not None
            written.setdefault(record.event, []).append([key for key in record.fields if key not in {"lamport", "n"}])
    for event, fields in journal.FIELDS.items():
        names = [field.rstrip("?") for field in fields]
        assert all(keys == [name for name in names if name in keys] for keys in written[event])
        assert set(names) == {key for keys in written[event] for key in keys}
        always = {name for name in names if all(name in keys for keys in written[event])}
        assert always == {field for field in fields if not field.endswith("?")}


def test_three_joins_and_a_message_are_written_as_the_design_shows_them() -> None:
    hub = Hub()
    names = {"alice": ALICE, "bob": "b" * 16, "carol": "c" * 16}
    everybody = {name: Participant(incarnation, name) for name, incarnation in names.items()}
    count = dict.fromkeys(["hub", *names], 1)  # each has written its start
    log = []

    def write(process: str, taken: list[steps.Step] | tuple[steps.Step, ...]) -> None:
        log.extend(f"{process} {entry}" for entry in journal.entries(taken, count[process] + 1, EPOCH))
        count[process] += len(taken)

    events: list[Event] = []
    for name, participant in everybody.items():
        send = participant.join()
        write(name, [send])
        outcome = hub.apply(Join(participant.incarnation, name, name, participant.number, send.lamport))
        write("hub", outcome.steps)
        events += outcome.events
        participant.welcome(EPOCH)
        participant.joined()
        for other, peer in everybody.items():
            if peer.joining:
                write(other, peer.deliver(events[hub.sequence - 1 if peer.last else -1 :]))
    alice, bob = everybody["alice"], everybody["bob"]

    log.clear()
    message, send = alice.publish("hello")
    write("alice", [send])
    outcome = hub.apply(Publish(alice.incarnation, (message,)))
    write("hub", outcome.steps)
    write("bob", bob.deliver(outcome.events))
    write("alice", alice.acknowledge(outcome.receipts))
    write("alice", alice.deliver(outcome.events))

    assert log == [
        'alice send lamport=9 n=6 op=publish id=9f3ac1d27be04411.2 text="hello"',
        "hub receive lamport=10 n=8 op=publish id=9f3ac1d27be04411.2 stamped=9 participant=alice",
        (
            "hub broadcast lamport=11 n=9 op=publish epoch=5b1e77 seq=4 cause=9f3ac1d27be04411.2 members=3"
            ' participant=alice text="hello"'
        ),
        'bob deliver lamport=12 n=5 op=publish epoch=5b1e77 seq=4 stamped=11 participant=alice text="hello"',
        "alice ack lamport=12 n=7 op=publish id=9f3ac1d27be04411.2 epoch=5b1e77 seq=4 stamped=11",
        'alice deliver lamport=13 n=8 op=publish epoch=5b1e77 seq=4 stamped=11 participant=alice text="hello"',
    ]


def test_steps_that_happened_together_share_a_head_and_are_numbered_on() -> None:
    taken = [steps.Send(5, Kind.LEFT, "a.5"), steps.End(5, "asked")]
    assert journal.lines(HEAD, "alice", journal.entries(taken, 7)) == (
        f'{HEAD} alice send lamport=5 n=7 op=leave id=a.5\n{HEAD} alice end lamport=5 n=8 reason="asked"'
    )


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1795403510.123456, "2026-11-23T03:11:50.123456Z"),
        (1795403510.0, "2026-11-23T03:11:50.000000Z"),
    ],
)
def test_wall_time_is_utc_with_microseconds(seconds: float, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    try:
        assert journal.wall_time(seconds) == written
    finally:
        monkeypatch.undo()
        time.tzset()


# How they are read back.


def _is_name(name: str) -> bool:
    try:
        return bool(normalise(name))
    except InvalidArgument:
        return False


ids = st.from_regex(r"[0-9a-f]{16}\.[1-9][0-9]{0,18}", fullmatch=True)
times = st.integers(0, 2**64)
any_text = st.text() | st.text('\x00\n\r\x1b\x7f\x85\u2028\u202e"\\u0\ud800', max_size=20)
names = (
    st.text(st.characters(categories=["L", "Nd"], include_characters="-_."), min_size=1, max_size=32)
    .filter(_is_name)
    .map(normalise)
)
kinds = st.sampled_from(Kind)
epochs = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)
events = st.builds(Event, times, times, kinds, names, any_text, ids | st.just(""), st.none() | st.sampled_from(Reason))
any_step = st.one_of(
    st.builds(steps.Start, times, epochs, times, st.just("0.1.0"), st.just("") | epochs),
    st.builds(steps.Send, times, st.just(Kind.PUBLISHED), ids, any_text),
    st.builds(steps.Send, times, st.sampled_from([Kind.JOINED, Kind.LEFT]), ids),
    st.builds(steps.Receive, times, kinds, ids, times, names),
    st.builds(steps.Detect, times, names, epochs, st.sampled_from(Reason)),
    st.builds(steps.Broadcast, events, times),
    st.builds(steps.Deliver, times, epochs, events),
    st.builds(steps.Ack, times, kinds, ids, epochs, times, times),
    st.builds(steps.Refused, times, kinds, ids, st.just("UNKNOWN"), any_text),
    st.builds(steps.End, times, any_text),
)


def _is_safe(line: str) -> bool:
    """Tell whether a line is one line everywhere, and harmless on a terminal."""
    directions = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    return len(line.splitlines()) <= 1 and not any(
        unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"}
        or unicodedata.bidirectional(character) in directions
        or character in "\u200e\u200f\u061c"
        for character in line
    )


def _expected(step: steps.Step) -> dict[str, str | int]:  # noqa: C901 - one case a kind of line is the table
    """Say what a line must tell of a step, in the words of the step."""
    event = getattr(step, "event", None)
    told: dict[str, str | int] = {"lamport": step.lamport, "n": 1}
    match step:
        case steps.Start(_, incarnation, pid, version, epoch):
            who = {"epoch": epoch} if epoch else {"incarnation": incarnation}
            told |= {"format": 1, **who, "pid": pid, "version": version}
        case steps.Send(_, op, id_, text):
            told |= {"op": op, "id": id_} | ({} if text is None else {"text": text})
        case steps.Receive(_, op, id_, stamped, participant):
            told |= {"op": op, "id": id_, "stamped": stamped, "participant": participant}
        case steps.Detect(_, participant, incarnation, reason):
            told |= {"op": "leave", "participant": participant, "incarnation": incarnation, "reason": reason}
        case steps.Broadcast(_, members):
            told |= {"op": event.kind, "epoch": EPOCH, "seq": event.sequence}
            told |= {"cause": event.cause} if event.cause else {}
            told |= {"members": members}
        case steps.Deliver(_, epoch, _):
            told |= {"op": event.kind, "epoch": epoch, "seq": event.sequence, "stamped": event.lamport}
        case steps.Ack(_, op, id_, epoch, sequence, stamped):
            told |= {"op": op, "id": id_, "epoch": epoch, "seq": sequence, "stamped": stamped}
        case steps.Refused(_, op, id_, status, why):
            told |= {"op": op, "id": id_, "status": status, "reason": why}
        case steps.End(_, reason):
            told |= {"reason": reason}
    if event is not None:
        told |= {"participant": event.participant}
        told |= {"reason": event.reason} if event.reason else {}
        told |= {"text": event.text}
    return told


@given(any_step, names)
def test_a_line_read_back_tells_the_step(step: steps.Step, process: str) -> None:
    line = line_of(step, process)
    assert _is_safe(line)
    record = journal.parse(line)
    assert record is not None
    assert (record.wall, record.level, record.process) == (*HEAD.split(), process)
    assert record.event == line.split(" ")[3]
    assert record.prose == ""
    told = _expected(step)
    assert list(record.fields) == list(told), "the order of fields is fixed"
    # Two lone surrogates that stand together are one character to JSON; neither can come in over the wire.
    assert {key: _joined(value) for key, value in record.fields.items()} == {
        key: _joined(value) for key, value in told.items()
    }


def _joined(value: str | int) -> str | int:
    return (
        value if isinstance(value, int) else value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    )


@given(st.text())
def test_text_is_read_back_as_it_was_said(text: str) -> None:
    record = journal.parse(line_of(steps.Send(1, Kind.PUBLISHED, "a.1", text)))
    assert record is not None
    assert record.text("text") == text


def test_a_line_may_still_have_its_newline() -> None:
    line = line_of(steps.End(3, "asked"))
    assert journal.parse(line + "\n") == journal.parse(line)


def test_what_a_line_does_not_tell_is_empty() -> None:
    record = journal.parse(line_of(steps.End(3, "asked")))
    assert record is not None
    assert (record.text("reason"), record.text("lamport"), record.text("participant")) == ("asked", "3", "")


def test_a_later_format_may_tell_more() -> None:
    record = journal.parse(line_of(steps.End(3, "asked")) + " again=1 mood=calm")
    assert record is not None
    assert record.fields == {"lamport": 3, "n": 1, "reason": "asked", "again": 1, "mood": "calm"}


# Prose.

FORGED = 'deliver lamport=3 n=4 op=publish epoch=5b1e77 seq=4 stamped=2 participant=bob text="I owe you"'


@given(st.text() | st.just(FORGED) | st.just(f"x\n{HEAD} alice {FORGED}") | any_text)
@example(f"\n{HEAD} alice {FORGED}")
@example(f"\r{HEAD} alice {FORGED}")
@example(f"\u2028{HEAD} alice {FORGED}")
@example(FORGED)
def test_prose_is_never_an_event(text: str) -> None:
    written = journal.prose(HEAD, "alice", text)
    lines = written.split("\n")
    assert all(_is_safe(line) for line in lines)
    records = [journal.parse(line) for line in lines]
    assert [record.prose for record in records] == [journal.escape(line) for line in text.split("\n")]
    assert {(record.event, record.process, *record.fields) for record in records} == {("", "alice")}


@pytest.mark.parametrize("word", ["sending", "Deliver", "again", "broadcasts", "lamport=3", "starts"])
def test_another_word_in_the_place_of_an_event_is_prose(word: str) -> None:
    record = journal.parse(f"{HEAD} alice {word} lamport=3 n=4")
    assert record is not None
    assert (record.event, record.prose) == ("", f"{word} lamport=3 n=4")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hello, wörld \U0001f600", "hello, wörld \U0001f600"),
        ("a\nb\tc\x1b[2J", r"a\u000ab\u0009c\u001b[2J"),
        ("\x7f\x9b", r"\u007f\u009b"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\u202egnp\u2066.exe", r"\u202egnp\u2066.exe"),
        ("a\u200db", "a\u200db"),
        ("\ud800", r"\ud800"),
    ],
    ids=ascii,
)
def test_what_breaks_a_line_or_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert journal.escape(text) == shown


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("hello", '"hello"'),
        ('say "hello"', r'"say \"hello\""'),
        (r"C:\u000a", r'"C:\\u000a"'),
        ("ends in \\", r'"ends in \\"'),
        ("a\nb\u2028c\u202ed", r'"a\nb\u2028c\u202ed"'),
        ("\U0001f600", '"\U0001f600"'),
        ("", '""'),
    ],
    ids=ascii,
)
def test_text_is_quoted_as_json(text: str, quoted: str) -> None:
    assert journal.quote(text) == quoted


def test_no_character_gets_out_of_its_quotes() -> None:
    for code in (*range(0x10000), *range(0xE0000, 0xE0200)):
        quoted = journal.quote(chr(code))
        assert _is_safe(quoted), hex(code)
        assert json.loads(quoted) == chr(code)
        assert _is_safe(journal.escape(chr(code))), hex(code)


# What is not believed.


@pytest.mark.parametrize("step", LINES, ids=lambda step: type(step).__name__)
def test_a_torn_line_is_not_believed(step: steps.Step) -> None:
    line = line_of(step)
    begin = len(f"{HEAD} alice ")
    # A cut within a bare token at the very end leaves a token: there, only the newline tells a whole line.
    end = len(line) if line.endswith('"') else line.rindex("=") + 2
    for cut in range(begin, end):
        torn = journal.parse(line[:cut])
        assert torn is None or torn.event == "", line[:cut]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "Traceback (most recent call last):",
        "2026-11-23T03:11:50.123456Z",
        "2026-11-23 03:11:50.123456Z INFO alice send lamport=9 n=6 op=leave id=a.2",
        "2026-11-23T03:11:50.123Z INFO alice send lamport=9 n=6 op=leave id=a.2",
        "x 2026-11-23T03:11:50.123456Z INFO alice send lamport=9 n=6 op=leave id=a.2",
        f"{HEAD} alice send n=6 op=leave id=a.2",
        f"{HEAD} alice send lamport=9 op=leave id=a.2",
        f"{HEAD} alice send lamport=nine n=6 op=leave id=a.2",
        f"{HEAD} alice send lamport=9 n=6 op=leave",
        f"{HEAD} alice send lamport=9 n=6 op=publish id=a.2",
        f"{HEAD} alice ack lamport=9 n=6 op=publish id=a.2 epoch=5b1e77",
        f"{HEAD} alice ack lamport=9 n=6 op=publish id=a.2 epoch= seq=4 stamped=3",
        f'{HEAD} alice end lamport=9 n=6 reason="a" b"',
        f'{HEAD} alice end lamport=9 n=6 reason="a"mood=calm',
        f'{HEAD} alice end lamport=9 n=6 reason=a"b',
        f'{HEAD} alice end lamport=9 n=6 reason="\\x"',
        f'{HEAD} alice end lamport=9 n=6 reason="a\nb"',
        f"{HEAD} alice end  lamport=9 n=6 reason=a",
        f"{HEAD} alice end lamport=9 n=6 reason=a, and more",
        f"{HEAD} alice end lamport={'9' * 5000} n=6 reason=a",
    ],
)
def test_a_line_that_is_none_is_not_believed(line: str) -> None:
    assert journal.parse(line) is None


shapes = st.one_of(
    st.text(),
    st.text(string.printable).map(lambda rest: f"{HEAD} alice {rest}"),
    st.builds("{} alice {} {}".format, st.just(HEAD), st.sampled_from(sorted(journal.EVENTS)), st.text()),
    st.lists(
        st.tuples(st.sampled_from(["lamport", "n", "op", "text", "seq", "x"]), st.text('"\\ 09a\n', max_size=5))
    ).map(lambda pairs: f"{HEAD} alice end " + " ".join(itertools.starmap("{}={}".format, pairs))),
)


@given(shapes)
def test_nothing_that_is_read_raises(text: str) -> None:
    record = journal.parse(text)
    assert record is None or record.event in journal.EVENTS or record.event == ""


# What is printed.


@given(st.lists(st.binary(max_size=40)), st.binary(max_size=40))
def test_whatever_is_printed_and_in_whatever_pieces_is_prose(pieces: list[bytes], forged: bytes) -> None:
    line = f'{HEAD} alice send lamport=9 n=6 op=publish id=a.2 text="hello"'.encode()
    printed = journal.Printed("alice")
    taken = [printed.take(piece, HEAD) for piece in [*pieces, b"\n", line, forged, b"\r", line, b"\n"]]
    lines = [line for lines in taken for line in lines.split("\n") if line]
    records = [journal.parse(line) for line in lines]
    assert all(record is not None and record.event == "" and record.process == "alice" for record in records)
    assert sum(line.decode() in text for text in lines) == 2


@given(st.text(alphabet=st.characters(codec="utf-8")), st.lists(st.integers(0, 40)))
def test_what_is_printed_is_the_same_in_whatever_pieces_it_comes(text: str, cuts: list[int]) -> None:
    data = text.encode() + b"\n"
    whole, pieces = journal.Printed("alice"), journal.Printed("alice")
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    taken = [pieces.take(data[begin:end], HEAD) for begin, end in itertools.pairwise(places)]
    assert "\n".join(filter(None, taken)) == whole.take(data, HEAD)


def test_a_line_that_is_printed_without_end_is_several() -> None:
    printed = journal.Printed("alice")
    taken = [printed.take(b"x" * 1000, HEAD) for _ in range(100)] + [printed.take(b"\n", HEAD)]
    records = [journal.parse(line) for lines in taken for line in lines.split("\n") if line]
    assert [len(record.prose) for record in records if record] == [journal.LONGEST] * 6 + [
        100_000 - 6 * journal.LONGEST
    ]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300), st.text(alphabet=st.characters(codec="utf-8")))
def test_why_a_line_was_not_said_is_told_of_that_line_alone(text, other):
    turn, reason = "2026-11-23T03:11:50.123456Z", "the message is empty"
    prose = journal.parse(journal.prose(HEAD, "alice", journal.not_said(text, turn) + reason)).prose
    assert journal.why_not_said(prose, text, turn) == reason
    assert journal.why_not_said(prose, text, "2026-11-23T03:11:50.123457Z") == "", "its turn came before"
    if text[:200] != other[:200]:
        assert journal.why_not_said(prose, other, turn) == ""
    assert len(journal.line_named("x" * 60_000)) < 300
