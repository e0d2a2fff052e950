import json

import pytest
from wcwidth import wcswidth

from chitty import journal, resources, settings
from chitty.stack import show, tail
from chitty.stack.layout import slug
from chitty.stack.show import View
from chitty.terminal import colour_of

HEAD = "2026-11-23T03:11:50.123456Z INFO"


def line(text: str, file: str = "bob") -> tail.Line:
    return tail.Line(file, text, tail.read(file, text), "2026-11-23T03:11:50.123456Z")


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    import time  # noqa: PLC0415 - beside its only use

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("file", "text", "shown"),
    [
        (
            "bob",
            f'{HEAD} bob deliver lamport=12 n=5 op=publish epoch=5b seq=4 stamped=11 participant=alice text="hi"',
            "03:11:50.123 bob  │    12  alice: hi",
        ),
        (
            "bob",
            f'{HEAD} bob deliver lamport=12 n=5 op=join epoch=5b seq=4 stamped=11 participant=al text="al joined"',
            "03:11:50.123 bob  │    12  al joined",
        ),
        (
            "server",
            f"{HEAD} hub receive lamport=10 n=8 op=publish id=9f.2 stamped=9 participant=alice",
            "03:11:50.123 hub  │    10  Publish of alice, sent at 9",
        ),
        (
            "server",
            f'{HEAD} hub broadcast lamport=11 n=9 op=publish epoch=5b seq=4 participant=alice members=3 text="hi"',
            "03:11:50.123 hub  │    11  Broadcast 4 to 3: alice: hi",
        ),
        (
            "bob",
            f'{HEAD} bob refused lamport=3 n=3 op=publish id=9f.2 status=INVALID_ARGUMENT reason="too long"',
            "03:11:50.123 bob  │     3  publish refused: too long (INVALID_ARGUMENT)",
        ),
        ("bob", f"{HEAD} bob - waiting for the service", "03:11:50.123 bob  │        waiting for the service"),
        ("bob", "torn li", "             bob  │        torn li"),
    ],
)
def test_a_line_reads_as_what_happened(file, text, shown):
    assert View().render(line(text, file)) == shown


def test_every_event_of_a_history_has_words():
    assert show._WORDS.keys() == journal.EVENTS


def test_what_could_trouble_a_terminal_is_escaped():
    hostile = line(f'{HEAD} bob send lamport=1 n=1 op=publish id=9f.1 text="\\u001b[2Jgone\\u202e"')
    assert View().render(hostile).endswith("says: \\u001b[2Jgone\\u202e")
    assert "\x1b" not in View().render(line("raw \x1b[2J"))
    assert "\x1b[2J" not in View(colour=True).render(hostile)


def test_names_are_padded_to_the_longest_and_have_a_colour_each():
    view = View()
    view.widen(["christopher", "bob"])
    text = f"{HEAD} bob - x"
    assert view.render(line(text)) == "03:11:50.123 bob         │        x"
    coloured = View(colour=True).render(line(text))
    assert coloured != View().render(line(text))
    assert coloured == View(colour=True).render(line(text)), "the same each time"


def test_names_that_take_two_columns_a_character_keep_the_column_straight():
    view = View()
    view.widen(["日本語"])
    rows = [view.render(line(f"{HEAD} {name} - x", slug(name))) for name in ("日本語", "bob", "e\u0301ve")]
    assert [wcswidth(row.partition("│")[0]) for row in rows] == [wcswidth("03:11:50.123 日本語 ")] * 3


def test_the_participants_of_a_small_stack_differ_in_colour():
    names = ["alice", *settings.read(resources.path("conf/chitty.yaml")).clients.roster[:7], "hub"]
    assert len({colour_of(name) for name in names}) == len(names)


def test_json_has_the_head_and_the_fields():
    text = f'{HEAD} bob send lamport=12 n=5 op=publish id=9f.2 text="h\\u001bi"'
    assert json.loads(show.as_json(line(text))) == {
        "wall": "2026-11-23T03:11:50.123456Z",
        "level": "INFO",
        "process": "bob",
        "event": "send",
        "lamport": 12,
        "n": 5,
        "op": "publish",
        "id": "9f.2",
        "text": "h\x1bi",
    }
    assert "\x1b" not in show.as_json(line(text))
    assert json.loads(show.as_json(line(f"{HEAD} bob - x")))["prose"] == "x"
    assert json.loads(show.as_json(line("torn"))) == {"file": "bob", "raw": "torn"}
