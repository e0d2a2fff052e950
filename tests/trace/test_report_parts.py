"""What a report is made of, before any page: calls, evidence, descriptor, characters, lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty import resources
from chitty.trace import glyphs, reading
from chitty.trace.causality import Causality
from chitty.trace.glyphs import Print
from chitty.trace.report import interface, logs, requirements, sequence, typeset
from chitty.trace.report.requirements import Requirement
from tests.trace.drawing import by_chance, saying
from tests.trace.mutants import RUN

PROTO = resources.path("proto/chitty.proto").read_text(encoding="utf-8")


def examined(folder: Path) -> dict[str, Requirement]:
    history = reading.read(folder)
    return {one.name: one for one in requirements.examine(history, Causality(history))}


def picked(folder: Path) -> sequence.Excerpt | None:
    history = reading.read(folder)
    return sequence.excerpt(history, Causality(history))


def test_the_calls_traced_are_a_join_a_message_and_a_leave():
    excerpt = picked(RUN)
    assert [call.op for call in excerpt.calls] == ["join", "publish", "leave"]
    assert {call.broadcast.says.participant for call in excerpt.calls} == {excerpt.name}
    assert {"send", "receive", "broadcast", "deliver", "ack"} <= {event.kind for event in excerpt.events}
    assert len({event.process for event in excerpt.events}) == 4  # its own, the hub's, and two others'


def test_the_calculation_of_each_timestamp_traced_is_lamports():
    excerpt = picked(RUN)
    for event in excerpt.events:
        known = event.says.stamped if event.kind in {"receive", "deliver", "ack"} else 0
        assert event.lamport == max(sequence.previous(event), known) + 1


def test_the_calls_traced_are_of_one_stay(tmp_path):
    for seed in range(25):
        excerpt = picked(by_chance(tmp_path / str(seed), seed, 200, ["alice", "bob", "carol", "dave"]))
        if excerpt is not None:
            assert len({call.broadcast.says.epoch for call in excerpt.calls}) == 1
            places = [call.broadcast.says.seq for call in excerpt.calls]
            assert places == sorted(places)
            assert excerpt.calls[0].op == "join"


def test_without_participants_nothing_is_traced(tmp_path):
    folder = saying(tmp_path, "eve", "hello")
    (folder / "one.log").unlink()
    assert picked(folder) is None


def test_a_whole_run_documents_all_requirements():
    assert [name for name, one in examined(RUN).items() if not one.shown] == []


def test_what_a_run_does_not_show_is_said_to_be_missing(tmp_path):
    found = examined(saying(tmp_path, "eve", "hello"))
    missing = {name for name, one in found.items() if not one.shown}
    assert missing == {"At most 128 characters", "Leave at any time", "Drop out", "At least 3 clients"}
    assert "nobody tried" in found["At most 128 characters"].told


def test_the_lines_are_of_the_requirement():
    written = logs.lines(logs.read(RUN, "9999"))
    found = examined(RUN)
    assert all(written[place] for one in found.values() for place in one.places)
    limit = [written[place] for place in found["At most 128 characters"].places]
    assert any(" refused " in line for line in limit)
    assert any("hub - refused Publish" in line for line in limit)
    assert any("members=3" in written[place] for place in found["At least 3 clients"].places)
    assert any(" detect " in written[place] for place in found["Drop out"].places)


def test_what_is_said_of_a_method_is_its_comment():
    said = interface.remarks(PROTO)
    assert said["ChittyChat.Leave"].startswith("Stop being a participant. The leaver's Join stream ends OK")
    assert said["Event.Reason.LOST"] == "its stream broke"
    assert said["Event.reason"] == "of a LEFT"
    assert said["LeaveResponse.receipt"] == ""


def test_kinds_of_methods_and_types_of_fields():
    kinds = {method.name: method.kind for method in interface.methods({})}
    assert kinds == {
        "Join": "server-side streaming",
        "Publish": "bidirectional streaming",
        "Leave": "unary",
        "ListParticipants": "unary",
    }
    fields = {message.name: [field.type for field in message.fields] for message in interface.messages({})}
    assert fields["JoinResponse"] == ["string", "repeated Event"]
    assert fields["Event"][2] == "Event.Kind"
    assert fields["ListParticipantsRequest"] == []


def test_a_line_has_the_number_that_the_check_gives_it(tmp_path):
    (tmp_path / "bob.log.1").write_text("one\ntwo\nthr")
    (tmp_path / "bob.log").write_text("ee\nfour\n")
    (log,) = logs.read(tmp_path, "9999")
    assert logs.lines([log]) == {
        "bob.log.1:1": "one",
        "bob.log.1:2": "two",
        "bob.log.1:3": "three",
        "bob.log:1": "four",
    }


def test_lines_after_the_cut_are_left_out(tmp_path):
    (tmp_path / "bob.log").write_text("2026-11-23T03:11:50Z a\nodd\n2026-11-23T03:11:52Z b\nlater\n")
    assert list(logs.lines(logs.read(tmp_path, "2026-11-23T03:11:51")).values()) == ["2026-11-23T03:11:50Z a", "odd"]


@given(st.text(alphabet=st.sampled_from("abc \\u0é́日😀\u200d"), max_size=400))
def test_breaking_a_long_run_loses_nothing(text):
    fit = Print({"日", "😀"})
    assert fit.text(text).replace("\u200b", "") == fit.plain(text)
    assert "\u200b\u0301" not in fit.text(text)


def test_an_escape_is_not_broken():
    pieces = Print({"😀"}).text("😀" * 40).split("\u200b")
    assert len(pieces) > 8
    assert all(len(piece) % 6 == 0 for piece in pieces)


@pytest.mark.parametrize(("text", "lacking"), [("aé→Ω✓", ""), ("日a😀", "日😀"), ("عه", "")])
def test_what_no_font_has(text, lacking):
    assert typeset.lacking(glyphs.unusual([text])) == set(lacking)


def test_more_fonts_may_be_given(tmp_path):
    assert typeset.lacking({"日"}, tmp_path) == {"日"}  # an empty folder adds nothing, and is no error
