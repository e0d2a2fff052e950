"""The combined logs of a running stack: in order, complete, across rotations, and quiet at the end."""

import contextlib
import json
import re
import signal
import subprocess
from collections import Counter

import pytest

from tests.integration.launching import Stack
from tests.waiting import PATIENCE, eventually

BUSY = "bot: {rate: 5}\nlogs: {max_bytes: 3000, backups: 500}\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    (folder / "busy.yaml").write_text(BUSY)
    stack = Stack(folder / "stack")
    try:
        stack.up("--clients", "4", "--human", "zoe", "--config", "busy.yaml")
        yield stack
    finally:
        stack.end()


def walls(printed):
    return [json.loads(line)["wall"] for line in printed.splitlines()]


def followed(running, *arguments):
    """Follow the logs into a file."""
    path = running.cwd / "followed"
    with path.open("w") as out:
        return path, running.start("logs", "-f", *arguments, stdout=out, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def ended(following):
    with following:
        try:
            yield
        finally:
            following.send_signal(signal.SIGINT)
            following.wait(PATIENCE)


def test_all_logs_are_one_in_order_of_wall_time(running):
    printed = running.run("logs", "--json")
    found = walls(printed)
    assert found == sorted(found)
    processes = {json.loads(line)["process"] for line in printed.splitlines()}
    assert {"hub", "bob", "carol", "dave", "erin", "zoe"} <= processes


def test_a_person_reads_chat_as_chat(running):
    running.run("say", "zoe", "good morning")
    lines = eventually(lambda: running.run("tail", "bob", "--grep", "zoe: good morning").splitlines())
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} bob +│ +\d+  zoe: good morning", lines[-1])
    assert "\x1b" not in lines[-1]
    assert "\x1b[" in running.run("--color", "always", "logs", "-n", 1)
    assert "Participant zoe joined Chitty-Chat at Lamport time" in running.run("logs", "zoe")


def test_some_lines_can_be_chosen(running):
    assert len(running.run("logs", "-n", 3).splitlines()) == 3
    assert {json.loads(line)["process"] for line in running.run("logs", "bob", "--json").splitlines()} == {"bob"}
    assert {json.loads(line)["process"] for line in running.run("logs", "server", "--json").splitlines()} == {"hub"}
    assert all("join" in line.lower() for line in running.run("logs", "--grep", "join").splitlines())
    assert running.run("logs", "--since", "2099-01-01") == ""
    assert "is no time" in running.run("logs", "--since", "soon", expect=2)
    assert "is no regular expression" in running.run("logs", "--grep", "(", expect=2)


def test_following_misses_no_line_of_anybody_who_comes_or_goes_while_files_rotate(running):
    path, following = followed(running, "--json")
    with ended(following):
        running.run("join", "guest", "late")
        running.run("leave", "guest")
        running.run("kill", "late")
        running.run("join", "late")
        running.run("leave", "late")
        eventually(lambda: len(list(running.layout.logs.glob("*.log.5"))) >= 3)
        running.run("say", "zoe", "the last word")
        there = eventually(lambda: heard_by_all(running))
        eventually(lambda: not Counter(there) - Counter(path.read_text().splitlines()))
    got = path.read_text().splitlines()
    last = max(index for index, line in enumerate(got) if "the last word" in line)
    assert max(Counter(got[: last + 1]).values()) == 1, "nor is one shown twice"
    for process in {json.loads(line)["process"] for line in got}:  # one that is starved may write a line late
        found = [one["wall"] for one in map(json.loads, got) if one["process"] == process]
        assert found == sorted(found)


def heard_by_all(running):
    """Return the logs up to the last word, once each participant and the server have logged it."""
    there = running.run("logs", "--json").splitlines()
    heard = [index for index, line in enumerate(there) if "the last word" in line]
    processes = {json.loads(there[index])["process"] for index in heard}
    return there[: heard[-1] + 1] if processes == {"hub", "bob", "carol", "dave", "erin", "zoe"} else []


def test_following_ends_quietly_when_its_reader_goes_away(running):
    following = running.start("logs", "-f", "-n", 1)
    with following:
        assert following.stdout.readline()
        following.stdout.close()
        assert following.wait(PATIENCE) == 0
        assert following.stderr.read() == ""


def test_following_in_silence_notices_that_its_reader_went_away(running):
    following = running.start("logs", "-f", "-n", 1, "--grep", "nobody says this")
    with following:
        following.stdout.close()
        assert following.wait(PATIENCE) == 0


def test_following_ends_with_ctrl_c(running):
    following = running.start("logs", "-f", "-n", 1)
    with following:
        assert following.stdout.readline()
        following.send_signal(signal.SIGINT)
        _, said = following.communicate(timeout=PATIENCE)
        assert following.returncode == 130
        assert said.strip() == ""


def test_a_reader_that_wants_one_line_gets_it_and_no_complaint(running):
    command = " ".join(f"'{word}'" for word in running.command("logs"))
    done = subprocess.run(
        f"{command} | head -1",
        shell=True,
        cwd=running.cwd,
        env=running.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_one_that_follows_where_no_stack_is_yet_says_that_it_waits_and_where(tmp_path):
    stack = Stack(tmp_path / "stack")
    try:
        with stack.start("logs", "-f") as following:
            assert following.stderr.readline() == (
                f"there are no logs in {stack.layout.directory} yet: waiting for a stack there\n"
            )
            stack.up("--clients", 0)
            assert following.stdout.readline()
            following.send_signal(signal.SIGINT)
            assert following.wait(PATIENCE) == 130
    finally:
        stack.end()
