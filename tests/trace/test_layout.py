"""The geometry of a space-time diagram: what must be true of every one, and what some must show."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chitty.core.errors import NoSuchParticipant, NotRunning, SettingsError
from chitty.trace import faults, reading
from chitty.trace.axis import Axis
from chitty.trace.causality import Causality
from chitty.trace.history import Life
from chitty.trace.selection import Wish
from chitty.trace.shapes import Arrow, Diagram
from tests.trace.drawing import VIOLATION, by_chance, chosen, drawn, saying
from tests.trace.simulating import Run

SEEDS = st.integers(0, 10_000)
AXES = st.sampled_from(list(Axis))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = itertools.count()
    return lambda: tmp_path_factory.mktemp(f"run-{next(made)}")


def slopes_down(arrow: Arrow) -> bool:
    heights = [point.y for point in arrow.path]
    return heights == sorted(heights) and heights[-1] > heights[0]


@settings(max_examples=40)
@given(SEEDS, AXES)
def test_in_a_valid_history_every_arrow_slopes_down(folder, seed, axis):
    diagram = drawn(by_chance(folder(), seed), axis)
    assert all(slopes_down(arrow) and not arrow.rises for arrow in diagram.arrows)


@settings(max_examples=40)
@given(SEEDS, AXES)
def test_every_event_is_one_dot_and_no_two_dots_are_in_one_place(folder, seed, axis):
    run = by_chance(folder(), seed)
    diagram = drawn(run, axis)
    assert sorted(dot.event.place for dot in diagram.dots) == sorted(event.place for event in reading.read(run).events)
    assert len({(dot.lane, dot.y) for dot in diagram.dots}) == len(diagram.dots)
    assert all(0 <= dot.y <= diagram.height for dot in diagram.dots)


@settings(max_examples=40)
@given(SEEDS, AXES)
def test_every_message_is_one_arrow(folder, seed, axis):
    run = by_chance(folder(), seed)
    diagram = drawn(run, axis)
    messages = list(Causality(reading.read(run)).messages)
    arrived = [arrow for arrow in diagram.arrows if arrow.target is not None]
    from_strangers = [arrow for arrow in arrived if arrow.source is None]
    assert len(arrived) - len(from_strangers) == len(messages)
    assert all(arrow.to_hub and arrow.open for arrow in from_strangers)
    assert all(arrow.target is None for arrow in diagram.arrows if arrow.lost)


@settings(max_examples=30)
@given(SEEDS)
def test_a_row_is_a_tick(folder, seed):
    diagram = drawn(by_chance(folder(), seed))
    own = {dot.event.lamport: dot.y for dot in diagram.dots if dot.shape not in {"start", "end"}}
    for dot in diagram.dots:
        if dot.shape not in {"start", "end"}:
            assert dot.y - own[dot.event.lamport] < 28
    times = sorted(own)
    assert [own[time] for time in times] == sorted(own.values())


@settings(max_examples=30)
@given(SEEDS, st.integers(0, 40), st.integers(0, 40))
def test_what_a_range_leaves_out_is_counted(folder, seed, first, length):
    run = by_chance(folder(), seed)
    try:
        diagram = drawn(run, wish=Wish(first, first + length))
    except SettingsError:
        return
    total = sum(1 for _ in reading.read(run).events)
    assert len(diagram.dots) + diagram.selection.outside == total
    assert all(first <= dot.event.lamport <= first + length for dot in diagram.dots)
    assert diagram.selection.outside == 0 or any("at other times not shown" in note for note in diagram.notes)


def test_the_hub_is_in_the_middle_and_participants_in_the_order_of_joining(folder):
    names = ["zoe", "anna", "mia", "ben"]
    run = Run(1, names)
    for name in names:
        run.carry_request(run.peers[name])
    for name in reversed(names):  # who joined first may be the last to hear of it
        run.carry_events(run.peers[name])
    where = folder()
    run.write(where)
    assert [lane.name for lane in drawn(where).lanes] == ["zoe", "anna", "hub", "mia", "ben"]
    assert [lane.side for lane in drawn(where).lanes] == [-1, -1, 0, 1, 1]


def test_a_process_that_lives_again_has_a_lane_a_life_on_the_lamport_axis_only(folder):
    run = Run(4, ["alice"])
    run.carry_request(run.peers["alice"])
    run.carry_events(run.peers["alice"])
    run.crash(run.peers["alice"])
    run.start("alice")
    where = folder()
    run.write(where)
    assert [lane.name for lane in drawn(where).lanes] == ["alice", "hub", "alice#2"]
    assert [lane.name for lane in drawn(where, Axis.WALL).lanes] == ["alice", "hub"]


def violation() -> Diagram:
    return drawn(VIOLATION)


def test_a_message_received_before_it_was_sent_is_an_arrow_that_rises():
    diagram = violation()
    rising = [arrow for arrow in diagram.arrows if arrow.rises]
    assert [(arrow.op, "from hub at 9 to bob at 7" in arrow.title) for arrow in rising] == [("publish", True)]
    assert rising[0].path[-1].y < rising[0].path[0].y


def test_a_clock_that_falls_is_marked_on_its_own_line(folder):
    where = saying(folder(), "alice", "hello")
    log = where / "one.log"
    log.write_text(log.read_text().replace("lamport=5 n=4", "lamport=3 n=4"))
    falls = [arrow for arrow in drawn(where).arrows if arrow.local]
    assert [arrow.title for arrow in falls] == ["the clock of alice did not rise: 4, then 3"]


def test_what_was_sent_and_not_received_ends_in_a_cross(folder):
    where = saying(folder(), "alice", "hello")
    log = where / "one.log"
    log.write_text("\n".join(log.read_text().split("\n")[:-2]) + "\n")
    crosses = [arrow for arrow in drawn(where).arrows if arrow.lost]
    assert sorted(arrow.title for arrow in crosses) == [
        "publish sent at 7 to alice: it was never received",
        "receipt sent at 7 to alice: it was never received",
    ]


def test_long_idle_stretches_collapse_and_say_how_long_they_are(folder):
    where = saying(folder(), "alice", "hello")
    for log in where.iterdir():
        text = log.read_text()
        for old, new in ((5, 5005), (6, 5006), (7, 5007), (8, 5008)):
            text = text.replace(f"lamport={old} ", f"lamport={new} ").replace(f"stamped={old} ", f"stamped={new} ")
        log.write_text(text)
    diagram = drawn(where)
    assert [collapse.text for collapse in diagram.collapses] == ["5,000 ticks without an event, 5 to 5,004"]
    assert diagram.height < 1000


def test_membership_is_from_the_own_join_to_the_end():
    diagram = violation()
    lane = next(lane.index for lane in diagram.lanes if lane.name == "bob")
    bars = [bar for bar in diagram.bars if bar.kind == "member" and bar.lane == lane]
    own = next(dot for dot in diagram.dots if dot.lane == lane and dot.shape == "deliver")
    end = next(dot for dot in diagram.dots if dot.lane == lane and dot.shape == "end")
    assert [(bar.top, bar.bottom) for bar in bars] == [(own.y, end.y)]


def test_membership_ends_with_the_service_that_gave_it(folder):
    run = Run(1, ["alice"])
    alice = run.peers["alice"]
    run.carry_request(alice)
    run.carry_events(alice)
    run.begin_epoch()
    run.join(alice)
    run.carry_request(alice)
    run.carry_events(alice)
    where = folder()
    run.write(where)
    diagram = drawn(where)
    own = [dot for dot in diagram.dots if dot.lane == 0]
    joins = [dot.y for dot in own if dot.shape == "send"]
    first, second = (bar for bar in diagram.bars if bar.kind == "member")
    assert first.bottom == joins[1]
    assert second.top == next(dot.y for dot in own if dot.shape == "deliver" and dot.y > joins[1])


def test_crashes_and_pauses_are_marked_with_what_the_supervisor_noted(folder):
    where = saying(folder(), "alice", "hello")
    (where / "events.jsonl").write_text(
        '{"wall": "2026-11-23T03:11:50.000002Z", "intent": "pause", "pid": 2}\n'
        '{"wall": "2026-11-23T03:11:50.000004Z", "intent": "unpause", "pid": 2}\n'
        '{"wall": "2026-11-23T03:11:51.000004Z", "state": "EXITED", "pid": 2, "signal": "SIGKILL"}\n{"torn'
    )
    marks = {mark.title for mark in drawn(where, faults=faults.read(where)).marks}
    assert marks == {
        "alice crashed: SIGKILL",
        "hub crashed: no `end`",
        "alice was paused from 2026-11-23T03:11:50.000002Z to 2026-11-23T03:11:50.000004Z",
    }


def test_a_participant_without_a_log_is_an_arrow_from_outside(folder):
    where = saying(folder(), "alice", "hello")
    (where / "one.log").unlink()
    diagram = drawn(where)
    assert [arrow.title for arrow in diagram.arrows] == ["from alice, of whom no log is at hand"] * 2
    assert [dot.label for dot in diagram.dots if dot.shape == "broadcast"] == ["alice joins", "alice: hello"]


def test_what_cannot_be_chosen_is_refused_with_what_could_be(folder):
    where = saying(folder(), "alice", "hello")
    with pytest.raises(NoSuchParticipant, match="'nobody': there is alice"):
        chosen(where, Wish(participants=("nobody",)))
    with pytest.raises(SettingsError, match="from Lamport time 900 to 901: Lamport times go from 0 to 8"):
        chosen(where, Wish(900, 901))
    with pytest.raises(NotRunning, match="no events"):
        chosen(folder())


def test_a_name_of_any_length_is_whole_in_its_head(folder):
    name = "m" * 32
    assert "".join(drawn(saying(folder(), name, "hello")).lanes[0].lines) == name


def test_a_participant_is_found_whatever_the_case(folder):
    where = Path(folder())
    by_chance(where, 3, 80)
    shown = chosen(where, Wish(participants=("BOB",)))
    assert {life.process.name for life in shown.lives} == {"hub", "bob"}
    assert shown.hidden == 2
    assert all(isinstance(life, Life) for life in shown.lives)
