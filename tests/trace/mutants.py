"""Ways to break the history of a real run, each with the property that must say so.

A mutant changes the lines of one or a few logs. `lines` of a log are Items: an event whose head and fields can be
changed, or any other text. Numbers and clocks are put right again where the mutant is about something else.
"""

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from chitty import journal

RUN = Path(__file__).parent.parent / "histories" / "run"

Value = str | int


@dataclass
class Item:
    """One line; `event` is empty for one that is no event."""

    text: str = ""
    wall: str = ""
    process: str = ""
    event: str = ""
    fields: dict[str, Value] = field(default_factory=dict)
    level: str = "INFO"

    @classmethod
    def read(cls, line: str) -> "Item":
        record = journal.parse(line)
        if record is None or not record.event:
            return cls(line)
        return cls(line, record.wall, record.process, record.event, dict(record.fields), record.level)

    def write(self) -> str:
        if not self.event:
            return self.text
        pairs = " ".join(f"{key}={_value(self.event, key, value)}" for key, value in self.fields.items())
        return f"{self.wall} {self.level} {self.process} {self.event} {pairs}"

    def __getitem__(self, key: str) -> Value:
        return self.fields.get(key, "")

    def __setitem__(self, key: str, value: Value) -> None:
        self.fields[key] = value

    def number(self, key: str) -> int:
        return int(self.fields[key])

    def is_(self, event: str, **fields: Value) -> bool:
        return self.event == event and all(self[key] == value for key, value in fields.items())


def _value(event: str, key: str, value: Value) -> str:
    quoted = key == "text" or (key == "reason" and event in {"end", "refused"})
    return json.dumps(value, ensure_ascii=False) if quoted else str(value)


class Run:
    """The logs of a run, by process."""

    def __init__(self, folder: Path = RUN) -> None:
        self.logs = {
            path.stem: [Item.read(line) for line in path.read_text(encoding="utf-8").split("\n")]
            for path in sorted(folder.glob("*.log"))
        }

    def copy(self) -> "Run":
        """Return a run that can be changed without changing this one."""
        made = Run.__new__(Run)
        made.logs = {
            name: [replace(item, fields=dict(item.fields)) for item in items] for name, items in self.logs.items()
        }
        return made

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, items in self.logs.items():
            (folder / f"{name}.log").write_text("\n".join(item.write() for item in items), encoding="utf-8")

    def __getitem__(self, name: str) -> list[Item]:
        return self.logs[name]

    def find(self, name: str, event: str, **fields: Value) -> Item:
        """Return the first such event of a log."""
        return self.all(name, event, **fields)[0]

    def all(self, name: str, event: str, **fields: Value) -> list[Item]:
        return [item for item in self.logs[name] if item.is_(event, **fields)]

    def said(self, text: str) -> Item:
        """Return the broadcast of a message."""
        return self.find("server", "broadcast", text=text)

    def remove(self, name: str, *items: Item) -> None:
        """Take lines out and number the others anew."""
        self.logs[name] = [item for item in self.logs[name] if item not in items]
        self.renumber(name)

    def insert(self, name: str, after: Item, *items: Item) -> None:
        index = self.logs[name].index(after) + 1
        self.logs[name][index:index] = items
        self.renumber(name)

    def swap(self, name: str, one: Item, other: Item) -> None:
        """Let two lines change places; each place keeps its wall time and number."""
        items = self.logs[name]
        first, second = items.index(one), items.index(other)
        items[first], items[second] = other, one
        one.wall, other.wall = other.wall, one.wall
        self.renumber(name)

    def renumber(self, name: str) -> None:
        n = 0
        for item in self.logs[name]:
            if item.event:
                n = 1 if item.event == "start" else n + 1
                item["n"] = n

    def reclock(self, name: str) -> None:
        """Compute the Lamport times of a participant anew; what was sent with the old ones then differs."""
        clock = 0
        for item in self.logs[name]:
            if item.event in {"deliver", "ack"}:
                clock = max(clock, item.number("stamped")) + 1
            elif item.event == "start":
                clock = item.number("lamport")
            elif item.event in {"send", "refused"}:
                clock += 1
            if item.event:
                item["lamport"] = clock

    def neighbours(self, name: str, *events: str) -> Iterator[tuple[Item, Item]]:
        """Yield pairs of lines that follow one another and are of such events."""
        items = self.logs[name]
        return ((one, other) for one, other in itertools.pairwise(items) if {one.event, other.event} <= set(events))


Mutant = Callable[[Run], None]
MUTANTS: list[tuple[str, Mutant]] = []


def breaks(id_: str) -> Callable[[Mutant], Mutant]:
    """Register a mutant under the property that it breaks."""

    def register(mutant: Mutant) -> Mutant:
        MUTANTS.append((id_, mutant))
        return mutant

    return register


HELLO = "hello, everybody"
ANSWER = 'hello alice "quoted"'
OTHER = "0123456789abcdef"


def delivery(run: Run, name: str, text: str = HELLO) -> Item:
    return run.find(name, "deliver", text=text)


def copied(item: Item, **fields: Value) -> Item:
    other = copy.deepcopy(item)
    other.fields.update(fields)
    return other


# W1


@breaks("W1")
def a_line_is_lost(run: Run) -> None:
    run["dave"].remove(delivery(run, "dave"))


@breaks("W1")
def a_line_is_written_twice(run: Run) -> None:
    item = delivery(run, "dave")
    run["dave"].insert(run["dave"].index(item), copied(item))


@breaks("W1")
def a_line_is_torn_in_the_middle(run: Run) -> None:
    item = delivery(run, "carol")
    run["carol"][run["carol"].index(item)] = Item(item.write()[:95])


@breaks("W1")
def a_line_is_torn_after_the_end(run: Run) -> None:
    end = run.all("dave", "end")[-1]
    run["dave"].insert(run["dave"].index(end) + 1, Item("2026-11-23T09:00:00.0000"))


@breaks("W1")
def a_life_goes_on_after_its_end(run: Run) -> None:
    end = run.all("dave", "end")[-1]
    run.insert("dave", end, copied(end, lamport=end.number("lamport") + 1))


@breaks("W1")
def a_participant_has_an_event_of_a_hub(run: Run) -> None:
    run.find("dave", "deliver", op="join").event = "receive"
    run.find("dave", "receive")["id"] = f"{OTHER}.1"


@breaks("W1")
def a_hub_has_an_event_of_a_participant(run: Run) -> None:
    run.find("server", "receive").event = "send"


@breaks("W1")
def a_hub_starts_as_a_participant_does(run: Run) -> None:
    start = run.find("server", "start")
    start.fields["incarnation"] = OTHER


# W2


@breaks("W2")
def an_id_is_used_twice(run: Run) -> None:
    one, other = run.all("alice", "send", op="publish")[:2]
    other["id"] = one["id"]


@breaks("W2")
def an_incarnation_is_used_twice(run: Run) -> None:
    run.find("dave", "start")["incarnation"] = run.find("alice", "start")["incarnation"]


@breaks("W2")
def an_id_is_not_of_its_sender(run: Run) -> None:
    run.find("alice", "send", text=HELLO)["id"] = f"{OTHER}.2"


@breaks("W2")
def a_number_falls(run: Run) -> None:
    item = run.all("dave", "send", op="publish")[-1]
    item["id"] = str(item["id"]).rpartition(".")[0] + ".0"


# C1


@breaks("C1")
def a_clock_runs_back(run: Run) -> None:
    delivery(run, "dave")["lamport"] = 1


@breaks("C1")
def a_clock_stands_still(run: Run) -> None:
    one, other = next(run.neighbours("dave", "deliver"))
    other["lamport"] = one["lamport"]


@breaks("C1")
def a_clock_is_reset(run: Run) -> None:
    items = run["alice"]
    start = items.index(delivery(run, "alice"))
    for offset, item in enumerate(item for item in items[start:] if item.event):
        item["lamport"] = offset


# C2


@breaks("C2")
def a_delivery_is_not_after_its_broadcast(run: Run) -> None:
    item = delivery(run, "dave")
    item["lamport"] = item["stamped"]


@breaks("C2")
def a_receive_is_before_its_send(run: Run) -> None:
    item = run.find("alice", "send", text=HELLO)
    item["lamport"] = item.number("lamport") + 100


@breaks("C2")
def a_receipt_is_before_its_broadcast(run: Run) -> None:
    item = run.find("alice", "ack", op="publish")
    item["lamport"] = item.number("stamped") - 1


# C3


@breaks("C3")
def a_clock_skips(run: Run) -> None:
    for item in run["dave"][run["dave"].index(delivery(run, "dave")) :]:
        if item.event:
            item["lamport"] = item.number("lamport") + 1


@breaks("C3")
def a_send_adds_two(run: Run) -> None:
    item = run.find("alice", "send", text=HELLO)
    item["lamport"] = item.number("lamport") + 1


@breaks("C3")
def a_clock_does_not_start_at_0(run: Run) -> None:
    run.find("carol", "start")["lamport"] = 7


@breaks("C3")
def the_hub_ignores_a_timestamp(run: Run) -> None:
    item = next(item for item in run.all("server", "receive") if item.number("stamped") == item.number("lamport") - 1)
    item["lamport"] = item.number("lamport") + 5


# C4


@breaks("C4")
def a_timestamp_arrives_changed_at_the_hub(run: Run) -> None:
    cause = run.said(HELLO)["cause"]
    item = run.find("server", "receive", id=cause)
    item["stamped"] = item.number("stamped") - 1


@breaks("C4")
def a_timestamp_arrives_changed_at_a_participant(run: Run) -> None:
    item = delivery(run, "dave")
    item["stamped"] = item.number("stamped") - 1


@breaks("C4")
def a_receipt_is_stamped_off_by_one(run: Run) -> None:
    item = run.find("alice", "ack", op="publish")
    item["stamped"] = item.number("stamped") + 1


# C5


@breaks("C5")
def a_message_is_sent_after_it_is_delivered(run: Run) -> None:
    send = run.find("alice", "send", text=HELLO)
    run.swap("alice", send, delivery(run, "alice"))


@breaks("C5")
def a_join_is_sent_after_it_is_delivered(run: Run) -> None:
    run.swap("dave", run.find("dave", "send", op="join"), run.find("dave", "deliver", op="join"))


# P1


@breaks("P1")
def a_phantom_is_delivered(run: Run) -> None:
    item = delivery(run, "dave")
    run.insert("dave", item, copied(item, seq=9999, text="boo"))


@breaks("P1")
def a_delivery_is_of_an_epoch_that_never_was(run: Run) -> None:
    delivery(run, "dave")["epoch"] = "deadbeef"


@breaks("P1")
def a_message_is_broadcast_that_nobody_sent(run: Run) -> None:
    run.remove("alice", run.find("alice", "send", text=HELLO))


@breaks("P1")
def a_broadcast_has_no_receive(run: Run) -> None:
    run.remove("server", run.find("server", "receive", id=run.said(HELLO)["cause"]))


@breaks("P1")
def a_loss_is_announced_that_nobody_detected(run: Run) -> None:
    run.remove("server", run.find("server", "detect"))


@breaks("P1")
def an_answer_is_to_another_process(run: Run) -> None:
    """The receipt that alice lost reaches bob."""
    item = run.find("alice", "ack", op="publish")
    other = copied(item)
    other.process = "bob"
    run["alice"].remove(item)
    run.renumber("alice")
    run.insert("bob", delivery(run, "bob"), other)
    run.reclock("bob")


@breaks("P1")
def a_broadcast_names_another_cause(run: Run) -> None:
    run.said(HELLO)["cause"] = f"{OTHER}.2"


# P2


@breaks("P2")
def an_event_is_delivered_twice(run: Run) -> None:
    item = delivery(run, "dave")
    run.insert("dave", item, copied(item, lamport=item.number("lamport") + 1))


@breaks("P2")
def a_message_is_accepted_twice(run: Run) -> None:
    item = run.said(HELLO)
    received = run.find("server", "receive", id=item["cause"])
    again = copied(item, seq=item.number("seq") + 1000)
    run.insert("server", run.all("server", "broadcast", epoch=item["epoch"])[-1], copied(received), again)


@breaks("P2")
def a_sequence_is_broadcast_twice(run: Run) -> None:
    run.said(ANSWER)["seq"] = run.said(HELLO)["seq"]


@breaks("P2")
def a_receipt_comes_twice(run: Run) -> None:
    item = run.find("alice", "ack", op="publish")
    run.insert("alice", item, copied(item, lamport=item.number("lamport") + 1))


# P3


@breaks("P3")
def a_text_is_altered_on_delivery(run: Run) -> None:
    delivery(run, "dave")["text"] = "hello, nobody"


@breaks("P3")
def a_text_is_altered_by_the_hub(run: Run) -> None:
    run.said(HELLO)["text"] = "hello, nobody"


@breaks("P3")
def an_author_is_altered(run: Run) -> None:
    run.said(HELLO)["participant"] = "dave"


@breaks("P3")
def a_kind_is_altered(run: Run) -> None:
    run.find("server", "receive", id=run.said(HELLO)["cause"])["op"] = "leave"


@breaks("P3")
def a_text_of_129_characters_is_broadcast(run: Run) -> None:
    for name, items in run.logs.items():
        for item in items:
            if item["text"] == "x" * 128:
                item["text"] = "x" * 129
        assert name


@breaks("P3")
def a_reason_is_altered(run: Run) -> None:
    run.find("server", "detect")["reason"] = "expelled"


@breaks("P3")
def a_refusal_is_of_another_kind(run: Run) -> None:
    run.find("alice", "refused")["op"] = "leave"


@breaks("P3")
def a_detect_is_of_another_kind(run: Run) -> None:
    run.find("server", "detect")["op"] = "join"


@breaks("P3")
def a_leave_has_a_text(run: Run) -> None:
    run.find("alice", "send", op="leave")["text"] = "goodbye"


# P4


def refuse(item: Item, status: str = "INVALID_ARGUMENT") -> None:
    """Turn a receipt, or a delivery, into a refusal."""
    item.event = "refused"
    id_ = item["id"]
    fields: dict[str, Value] = {"lamport": item["lamport"], "n": item["n"], "op": item["op"], "id": id_}
    item.fields = fields | {"status": status, "reason": "told wrongly"}


@breaks("P4")
def a_message_is_refused_and_delivered_to_all(run: Run) -> None:
    refuse(run.find("alice", "ack", op="publish"))
    run.reclock("alice")


@breaks("P4")
def a_text_is_refused_and_accepted_and_said_anew(run: Run) -> None:
    """Alice says one thing twice: told that the first was refused, she sends it again, and both are broadcast."""
    first, again = run.said(HELLO), run.said("x" * 128)
    for items in run.logs.values():
        for item in items:
            if item["text"] == again["text"] and item is not again:
                item["text"] = HELLO
    again["text"] = HELLO
    refuse(run.find("alice", "ack", id=first["cause"]))
    run.reclock("alice")


@breaks("P4")
def a_message_of_one_who_was_cut_off_is_refused_in_another_epoch(run: Run) -> None:
    item = run.find("alice", "ack", op="publish")
    run["alice"].remove(item)
    refuse(item)
    run.insert("alice", run.all("alice", "deliver")[-1], item)
    run.reclock("alice")


@breaks("P4")
def a_join_is_refused_and_yet_events_are_delivered(run: Run) -> None:
    """Dave is told that the name is taken, behind the delivery of his own join."""
    join, own = run.find("dave", "send", op="join"), run.find("dave", "deliver", op="join")
    refused = copied(own, id=join["id"])
    refuse(refused, "ALREADY_EXISTS")
    run.insert("dave", own, refused)
    run.reclock("dave")


@breaks("P4")
def a_join_is_refused_before_its_events_are_delivered(run: Run) -> None:
    join = run.find("dave", "send", op="join")
    refused = copied(join)
    refuse(refused, "UNAUTHENTICATED")
    run.insert("dave", join, refused)
    run.reclock("dave")


@breaks("P4")
def a_join_is_refused_for_its_name_in_the_epoch_that_accepted_it(run: Run) -> None:
    """Nobody whose log is at hand was delivered anything, so that only the hub's log tells of the join."""
    for name in ("alice", "bob", "carol"):
        del run.logs[name]
    items = run["dave"]
    start = items.index(run.all("dave", "send", op="join")[-1]) + 1
    refused = copied(items[start - 1])
    refuse(refused, "ALREADY_EXISTS")
    del items[start:]
    items += [refused, Item()]
    run.renumber("dave")
    run.reclock("dave")


@breaks("P4")
def a_leave_is_refused_in_the_epoch_that_accepted_it(run: Run) -> None:
    refuse(run.all("carol", "ack", op="leave")[-1], "UNAUTHENTICATED")
    run.reclock("carol")


@breaks("P4")
def one_says_that_it_left_and_its_leave_has_no_answer(run: Run) -> None:
    run.remove("carol", run.all("carol", "ack", op="leave")[-1])
    run.reclock("carol")


@breaks("P4")
def a_loss_is_detected_and_not_announced(run: Run) -> None:
    run.remove("server", run.find("server", "broadcast", op="leave", reason="lost"))


@breaks("P4")
def a_receipt_is_lost(run: Run) -> None:
    run.remove("alice", run.find("alice", "ack", op="publish"))


@breaks("P4")
def an_accepted_message_is_not_broadcast(run: Run) -> None:
    run.remove("server", run.said(HELLO))


@breaks("P4")
def a_receipt_is_of_another_message(run: Run) -> None:
    item = run.find("alice", "ack", op="publish")
    item["seq"] = run.said(ANSWER)["seq"]
    item["stamped"] = run.said(ANSWER)["lamport"]


@breaks("P4")
def an_author_is_not_delivered_its_own_message(run: Run) -> None:
    run.remove("alice", delivery(run, "alice"))


# P5


@breaks("P5")
def a_sequence_is_left_out(run: Run) -> None:
    item = run.said(HELLO)
    for other in run.all("server", "broadcast", epoch=item["epoch"]):
        if other.number("seq") > item.number("seq"):
            other["seq"] = other.number("seq") + 1


@breaks("P5")
def the_sequence_does_not_begin_at_1(run: Run) -> None:
    for item in run.all("server", "broadcast"):
        item["seq"] = item.number("seq") + 1


@breaks("P5")
def a_broadcast_is_not_later_than_the_last(run: Run) -> None:
    run.said(ANSWER)["lamport"] = run.said(HELLO)["lamport"]


@breaks("P5")
def a_hub_starts_in_another_epoch_than_it_serves(run: Run) -> None:
    run.find("server", "start")["epoch"] = "deadbeef"


# P6


def publishes(run: Run, name: str) -> tuple[Item, Item]:
    """Return two deliveries that follow one another."""
    return next(run.neighbours(name, "deliver"))


@breaks("P6")
def two_deliveries_change_places(run: Run) -> None:
    run.swap("dave", *publishes(run, "dave"))
    run.reclock("dave")


@breaks("P6")
def a_delivery_comes_late(run: Run) -> None:
    item = delivery(run, "dave")
    last = run.all("dave", "deliver", epoch=item["epoch"])[-1]
    run["dave"].remove(item)
    run.insert("dave", last, item)


@breaks("P6")
def two_are_delivered_different_events(run: Run) -> None:
    delivery(run, "dave")["participant"] = "carol"


# P7


@breaks("P7")
def an_authors_messages_are_broadcast_in_the_wrong_order(run: Run) -> None:
    one, other = run.said(HELLO), run.said("x" * 128)
    first, second = (run.find("server", "receive", id=item["cause"]) for item in (one, other))
    one["cause"], other["cause"] = other["cause"], one["cause"]
    first["id"], second["id"] = second["id"], first["id"]


@breaks("P7")
def an_authors_messages_are_delivered_in_the_wrong_order(run: Run) -> None:
    run.swap("dave", delivery(run, "dave"), delivery(run, "dave", "x" * 128))


# P8


@breaks("P8")
def an_answer_is_delivered_before_its_question(run: Run) -> None:
    run.swap("carol", delivery(run, "carol"), delivery(run, "carol", ANSWER))


@breaks("P8")
def an_answer_is_broadcast_before_its_question(run: Run) -> None:
    question, answer = run.said(HELLO), run.said(ANSWER)
    for key in ("cause", "participant", "text"):
        question[key], answer[key] = answer[key], question[key]


# P9


@breaks("P9")
def a_delivery_is_lost(run: Run) -> None:
    run.remove("dave", delivery(run, "dave"))
    run.reclock("dave")


@breaks("P9")
def the_last_deliveries_before_a_leave_are_lost(run: Run) -> None:
    leave = run.all("carol", "ack", op="leave")[0]
    before = [
        item for item in run.all("carol", "deliver", epoch=leave["epoch"]) if item.number("seq") < leave.number("seq")
    ]
    run.remove("carol", before[-1])


@breaks("P9")
def a_delivery_comes_after_the_leave(run: Run) -> None:
    leave = run.all("carol", "ack", op="leave")[0]
    broadcast = run.find("server", "broadcast", epoch=leave["epoch"], seq=leave.number("seq"))
    item = run.all("dave", "deliver", epoch=leave["epoch"], seq=leave.number("seq"))[0]
    late = copied(item, lamport=leave.number("lamport") + 1)
    late.process, late.wall = "carol", leave.wall
    assert broadcast
    run.insert("carol", leave, late)


# P10


@breaks("P10")
def the_own_join_is_missing(run: Run) -> None:
    run.remove("dave", run.find("dave", "deliver", op="join", participant="dave"))


@breaks("P10")
def another_comes_before_the_own_join(run: Run) -> None:
    item = run.find("alice", "deliver", participant="alice", op="join")
    earlier = run.find("server", "broadcast", seq=1)
    fields: dict[str, Value] = {key: earlier[key] for key in ("op", "epoch", "seq", "participant", "text")}
    first = copied(item, **fields, stamped=earlier["lamport"])
    run["alice"].insert(run["alice"].index(item), first)
    run.renumber("alice")


# P11


@breaks("P11")
def members_are_miscounted(run: Run) -> None:
    item = run.said(HELLO)
    item["members"] = item.number("members") + 1


@breaks("P11")
def one_that_left_still_counts(run: Run) -> None:
    leave = run.find("server", "broadcast", op="leave")
    for item in run.all("server", "broadcast", epoch=leave["epoch"]):
        if item.number("seq") >= leave.number("seq"):
            item["members"] = item.number("members") + 1


@breaks("P11")
def somebody_speaks_who_is_no_member(run: Run) -> None:
    item = run.said(HELLO)
    received = run.find("server", "receive", id=item["cause"])
    received["id"] = item["cause"] = f"{OTHER}.5"


@breaks("P11")
def a_stranger_speaks_under_another_name(run: Run) -> None:
    """Carol keeps no log, so that only the hub tells of her."""
    del run.logs["carol"]
    said = next(item for item in run.all("server", "broadcast", op="publish", participant="carol"))
    received = run.find("server", "receive", id=said["cause"])
    for item in (
        said,
        received,
        *(item for items in run.logs.values() for item in items if item["text"] == said["text"]),
    ):
        if item["seq"] == said["seq"] or item is received:
            item["participant"] = "mallory"


# P12


@breaks("P12")
def a_leave_is_not_delivered(run: Run) -> None:
    run.remove("dave", run.find("dave", "deliver", op="leave"))


@breaks("P12")
def a_leave_is_delivered_as_a_join(run: Run) -> None:
    run.find("dave", "deliver", op="leave")["op"] = "join"


@breaks("P12")
def the_hub_counts_what_nobody_sees(run: Run) -> None:
    item = run.find("server", "broadcast", op="leave", reason="lost")
    item["members"] = item.number("members") - 1


# P13


@breaks("P13")
def an_announcement_tells_another_time(run: Run) -> None:
    item = run.find("server", "broadcast", op="join")
    item["text"] = f"Participant {item['participant']} joined Chitty-Chat at Lamport time {item.number('lamport') + 1}"


@breaks("P13")
def an_announcement_tells_of_another(run: Run) -> None:
    item = run.find("dave", "deliver", op="leave")
    item["text"] = str(item["text"]).replace(str(item["participant"]), "mallory")


@breaks("P13")
def one_joins_twice(run: Run) -> None:
    leave = run.find("server", "broadcast", op="leave", reason="lost")
    leave["op"] = "join"


@breaks("P13")
def one_leaves_that_never_joined(run: Run) -> None:
    leave = run.find("server", "broadcast", op="leave", reason="lost")
    run.find("server", "detect")["participant"] = leave["participant"] = "mallory"


def leaves(run: Run, reason: str) -> list[Item]:
    """Return the broadcast of the first leave for a reason, and its deliveries."""
    leave = run.find("server", "broadcast", op="leave", reason=reason)
    return [
        item
        for items in run.logs.values()
        for item in items
        if item.event in {"broadcast", "deliver"} and (item["epoch"], item["seq"]) == (leave["epoch"], leave["seq"])
    ]


@breaks("P13")
def one_who_asked_to_leave_is_announced_to_all_as_lost(run: Run) -> None:
    for item in leaves(run, "asked"):
        item["reason"] = "lost"


@breaks("P13")
def one_who_was_lost_is_announced_to_all_as_having_asked(run: Run) -> None:
    for item in (run.find("server", "detect", reason="lost"), *leaves(run, "lost")):
        item["reason"] = "asked"


@breaks("P13")
def a_join_is_announced_to_all_with_a_reason(run: Run) -> None:
    join = run.find("server", "broadcast", op="join")
    for items in run.logs.values():
        for item in items:
            if item.event in {"broadcast", "deliver"} and (item["epoch"], item["seq"]) == (join["epoch"], join["seq"]):
                item["reason"] = "expelled"


# P14


def repeated(run: Run, **changed: Value) -> None:
    """Let another life of a hub of the same epoch say one message again."""
    first = run.said(HELLO)
    received = run.find("server", "receive", id=first["cause"])
    before = run["server"][run["server"].index(received) - 1]
    start = copied(run.find("server", "start", epoch=first["epoch"]), lamport=before["lamport"])
    run.logs["server-2"] = [
        Item(),
        start,
        copied(received, n=2, again=1),
        copied(first, n=3, again=1, **changed),
        Item(),
    ]


@breaks("C3")
def a_restarted_hub_goes_on_where_it_never_stood(run: Run) -> None:
    repeated(run)
    start = run.find("server-2", "start")
    start["lamport"] = start.number("lamport") - 1


@breaks("P14")
def what_is_said_again_does_not_say_so(run: Run) -> None:
    """The hub of the first epoch crashes and says its last message again."""
    repeated(run)
    items = [item for item in run.logs.pop("server-2") if item.event]
    for item in items:
        item.fields.pop("again", None)
    at = run["server"].index(run.all("server", "start")[1])
    run["server"][at:at] = [*items, Item()]


@breaks("P14")
def a_line_is_marked_as_said_again_behind_one_that_is_not(run: Run) -> None:
    run.said(HELLO)["again"] = 1


@breaks("P14")
def a_hub_repeats_a_broadcast_behind_another_receive(run: Run) -> None:
    repeated(run)
    run.find("server-2", "receive")["id"] = f"{OTHER}.9"


@breaks("P14")
def a_hub_repeats_another_text(run: Run) -> None:
    repeated(run, text="hello, nobody")


@breaks("P14")
def a_hub_repeats_another_time(run: Run) -> None:
    repeated(run, lamport=1)


@breaks("P14")
def a_hub_repeats_another_cause(run: Run) -> None:
    repeated(run, cause=f"{OTHER}.1")
