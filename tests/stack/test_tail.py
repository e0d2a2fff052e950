import itertools
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty import journal
from chitty.core.errors import SettingsError
from chitty.stack import tail
from chitty.stack.tail import Filter, Follower
from tests.waiting import PATIENCE

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def line(seconds: float, process: str, n: int = 1) -> str:
    return f'{journal.wall_time(seconds)} INFO {process} send lamport={n} n={n} op=publish id=9f.{n} text="x{n}"'


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def followed(logs):
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            closing(Follower(logs, options.get("only"), Filter(), at_end=options.get("at_end", False)))
        )


def write(logs, process, *texts):
    with (logs / f"{process}.log").open("a") as file:
        file.writelines(f"{text}\n" for text in texts)


def texts(found):
    return [one.text for one in found]


def test_lines_of_all_files_are_in_order_of_wall_time(logs):
    write(logs, "bob", line(1, "bob"), line(4, "bob"))
    write(logs, "carol", line(2, "carol"), line(3, "carol"))
    write(logs, "supervisord", "not a program's")
    found = list(tail.history(tail.logs(logs), Filter()))
    assert [one.wall for one in found] == [journal.wall_time(second) for second in (1, 2, 3, 4)]


def test_a_file_keeps_its_own_order_when_its_clock_was_set_back(logs):
    write(logs, "bob", line(5, "bob", 1), line(2, "bob", 2))
    write(logs, "carol", line(3, "carol"))
    found = [one.record.fields["n"] for one in tail.history(tail.logs(logs), Filter()) if one.file == "bob"]
    assert found == [1, 2]


def test_files_whose_clock_was_set_back_together_stay_in_step(logs):
    """At second 100 of real time the clock of the machine is set back by 50 s."""
    for process, offset in (("bob", 0), ("carol", 1)):
        seconds = range(90 + offset, 130, 2)
        write(logs, process, *(line(now if now < 100 else now - 50, process, now) for now in seconds))
    found = [one.record.fields["n"] for one in tail.history(tail.logs(logs), Filter())]
    assert sorted(found) == list(range(90, 130))
    for before, after in itertools.pairwise(found):
        assert after > before - 4, "no line is more than one line of its own file out of place"


def test_a_clock_that_has_caught_up_places_lines_by_wall_time_again(logs):
    write(logs, "bob", *(line(second, "bob", second) for second in (100, 50, 60, 200)))
    write(logs, "carol", line(150, "carol"), line(201, "carol"))
    found = list(tail.history(tail.logs(logs), Filter()))
    assert [one.file for one in found] == ["bob", "bob", "bob", "carol", "bob", "carol"]


CLOCKS = st.lists(st.integers(min_value=1, max_value=50), max_size=12)


@given(bob=CLOCKS, carol=CLOCKS, number=st.integers(0, 30), since=st.integers(0, 50))
def test_all_ways_to_read_logs_give_one_order_whatever_the_clocks_did(tmp_path_factory, bob, carol, number, since):
    logs = tmp_path_factory.mktemp("logs")
    for process, clock in (("bob", bob), ("carol", carol)):
        write(logs, process, "without a head", *(line(second, process, n) for n, second in enumerate(clock)))
    wanted = Filter(since=journal.wall_time(since)) if since else Filter()
    everything = texts(tail.history(tail.logs(logs), wanted))
    assert texts(tail.last(tail.logs(logs), wanted, number)) == (everything[-number:] if number else [])
    with closing(Follower(logs, None, wanted, at_end=False)) as follower:
        assert texts(follower.rest()) == everything


def test_a_line_without_a_head_stays_with_the_one_before_it(logs):
    write(logs, "bob", line(1, "bob"), "Traceback ...", line(9, "bob"))
    write(logs, "carol", line(2, "carol"))
    assert texts(tail.history(tail.logs(logs), Filter()))[1] == "Traceback ..."
    assert texts(tail.last(tail.logs(logs), Filter(), 3))[0] == "Traceback ..."


def test_a_line_that_names_another_process_than_its_files_is_not_believed(logs):
    write(logs, "bob", line(1, "mallory"))
    write(logs, "server", line(2, "hub"), line(3, "bob"))
    assert [one.record is None for one in tail.history(tail.logs(logs), Filter())] == [True, False, True]


def test_the_last_lines_are_the_last_of_all_together(logs):
    write(logs, "bob", *(line(second, "bob", second) for second in range(1, 50, 2)))
    write(logs, "carol", *(line(second, "carol", second) for second in range(2, 50, 2)))
    everything = texts(tail.history(tail.logs(logs), Filter()))
    for number in (0, 1, 7, 1000):
        assert texts(tail.last(tail.logs(logs), Filter(), number)) == (everything[-number:] if number else [])


def test_since_and_a_test_of_the_line_choose(logs):
    write(logs, "bob", *(line(second, "bob", second) for second in range(1, 6)))
    wanted = Filter(since=journal.wall_time(3), wanted=lambda one: "x4" not in one.text)
    expected = [line(3, "bob", 3), line(5, "bob", 5)]
    assert texts(tail.history(tail.logs(logs), wanted)) == expected
    assert texts(tail.last(tail.logs(logs), wanted, 9)) == expected


def test_following_puts_late_lines_in_their_place(logs, followed):
    now = time.time()
    follower = followed()
    write(logs, "bob", line(now + 0.002, "bob"))
    first = follower.read()
    write(logs, "carol", line(now + 0.001, "carol"))
    found = first + follower.rest()
    assert [one.file for one in found] == ["carol", "bob"]


def test_following_keeps_a_files_own_order_when_its_clock_was_set_back(logs, followed):
    follower = followed()
    write(logs, "bob", line(9, "bob", 1), line(2, "bob", 2), line(10, "bob", 3))
    assert [one.record.fields["n"] for one in follower.rest()] == [1, 2, 3]


def test_following_holds_a_line_back_only_shortly_even_if_its_clock_is_ahead(logs, followed):
    follower = followed()
    write(logs, "bob", line(time.time() + 3600, "bob"))
    over = time.monotonic() + PATIENCE
    found = next(follower.follow(lambda: time.monotonic() < over))
    assert len(found) == 1
    assert time.monotonic() < over, "it was shown while following, not at its end"


def test_following_shows_lines_as_they_come_when_the_clock_is_set_back(logs, followed, monkeypatch):
    now = time.time()
    follower = followed()
    write(logs, "bob", line(now, "bob", 1))
    found = follower.read()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    write(logs, "bob", line(now - 3600, "bob", 2))
    deadline = time.monotonic() + PATIENCE
    while len(found) < 2 and time.monotonic() < deadline:
        found += follower.read()
    assert [one.record.fields["n"] for one in found] == [1, 2]


def test_a_line_does_not_wait_for_others_that_keep_coming_with_earlier_times(logs, followed):
    follower = followed()
    write(logs, "bob", line(time.time(), "bob"))
    found, number = [], 0
    deadline = time.monotonic() + PATIENCE
    while "bob" not in {one.file for one in found} and time.monotonic() < deadline:
        number += 1
        write(logs, "carol", line(time.time() - 3600, "carol", number))
        found += follower.read()
    assert "bob" in {one.file for one in found}


def test_following_finds_logs_that_come_later_and_reads_them_whole(logs, followed):
    write(logs, "bob", line(1, "bob"))
    follower = followed(at_end=True)
    write(logs, "bob", line(3, "bob", 3))
    write(logs, "zoe", line(2, "zoe"))
    assert [one.file for one in follower.rest()] == ["zoe", "bob"]


def test_following_from_the_end_continues_in_a_log_that_was_renamed(logs, followed):
    write(logs, "bob", line(1, "bob", 1))
    (logs / "bob.log").rename(logs / "bob.log.1")
    follower = followed(at_end=True)
    with (logs / "bob.log.1").open("a") as file:  # as a program does that has it open
        file.write(f"{line(2, 'bob', 2)}\n")
    write(logs, "bob", line(3, "bob", 3))
    assert [one.record.fields["n"] for one in follower.rest()] == [2, 3]


def test_following_survives_a_log_that_goes(logs, followed):
    write(logs, "bob", line(1, "bob"))
    follower = followed()
    assert len(follower.rest()) == 1
    (logs / "bob.log").unlink()
    assert follower.rest() == []


def test_the_last_lines_and_then_what_comes_without_a_line_twice(logs):
    write(logs, "bob", *(line(second, "bob", second) for second in (1, 2, 3)))
    with closing(tail.stream(logs, None, Filter(), 2, lambda: True)) as batches:
        assert texts(next(batches)) == [line(2, "bob", 2), line(3, "bob", 3)]
        write(logs, "bob", line(4, "bob", 4))
        assert texts(next(batches)) == [line(4, "bob", 4)]


def test_a_line_that_comes_between_the_two_looks_is_shown_once(logs, monkeypatch):
    write(logs, "bob", line(1, "bob", 1))
    look = tail.last

    def then_look(*arguments):
        write(logs, "bob", line(2, "bob", 2))
        return look(*arguments)

    monkeypatch.setattr(tail, "last", then_look)
    with closing(tail.stream(logs, None, Filter(), 2, lambda: True)) as batches:
        assert texts(next(batches)) == [line(1, "bob", 1), line(2, "bob", 2)]
        write(logs, "bob", line(3, "bob", 3))
        came = []
        while not came:
            came = texts(next(batches))
        assert came == [line(3, "bob", 3)]


def test_only_some_are_followed_when_they_are_named(logs, followed):
    write(logs, "bob", line(1, "bob"))
    write(logs, "carol", line(2, "carol"))
    follower = followed(only=frozenset({"carol"}))
    assert [one.file for one in follower.rest()] == ["carol"]


@pytest.mark.parametrize(
    ("text", "before"), [("10s", 10), ("1.5m", 90), ("2h", 7200), ("1d", 86400), ("2026-11-23T11:59:00Z", 60)]
)
def test_a_moment_is_an_age_or_a_time(text, before):
    assert tail.moment(text, NOW) == journal.wall_time((NOW - timedelta(seconds=before)).timestamp())


def test_a_time_of_day_is_todays_and_local():
    found = datetime.fromisoformat(tail.moment("1:02:03", NOW)).astimezone()
    assert (found.hour, found.minute, found.second) == (1, 2, 3)
    assert found.date() == NOW.astimezone().date()


@pytest.mark.parametrize("text", ["", "soon", "25:00", "10x", "9" * 30 + "d", "2026-13-01"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(SettingsError, match="is no time"):
        tail.moment(text, NOW)
