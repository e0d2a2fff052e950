"""Faults on purpose, and what the status says right after each: kill, pause, unpause, restart."""

import json
import os
import random
import re
import signal

import pytest

from chitty import process
from tests.integration.launching import Stack
from tests.waiting import eventually


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    (folder / "quiet.yaml").write_text("bot: {rate: 0.01}\n")
    stack = Stack(folder / "stack")
    try:
        stack.up("--clients", "bob,carol", "--human", "zoe", "--config", "quiet.yaml")
        yield stack
    finally:
        stack.end()


@pytest.fixture
def running(shared):
    """Return the shared stack with bob, carol and zoe joined."""
    yield shared
    shared.run("unpause", "server")
    for name in ("bob", "carol", "zoe"):
        if shared.of(name)["state"] == "PAUSED":
            shared.run("unpause", name)
    eventually(lambda: shared.status()["server"]["health"] == "SERVING")
    for name in {"bob", "carol", "zoe"} - shared.joined():
        shared.run("restart", name)


def test_a_killed_participant_stays_down_and_is_announced_until_it_is_restarted(running):
    pid = running.pid("bob")
    assert "bob ended of SIGKILL" in running.run("kill", "bob")
    killed = running.of("bob")
    assert (killed["pid"], killed["joined"], killed["reason"]) == (None, False, "killed")
    assert not process.alive(pid)
    eventually(lambda: "reason=lost" in running.layout.log("carol").read_text())
    assert "bob does not run: killed" in running.run("kill", "bob", expect=1)
    assert "bob joined" in running.run("restart", "bob")
    assert running.pid("bob") != pid
    assert "bob ended" in running.run("kill", "bob")
    assert "bob joined" in running.run("join", "bob")


def test_one_that_crashes_by_itself_is_not_said_to_be_killed(running):
    os.kill(running.pid("bob"), signal.SIGKILL)
    eventually(lambda: running.of("bob")["reason"] == "crashed (SIGKILL)")


def test_a_signal_that_it_obeys_lets_it_leave(running):
    running.run("kill", "bob", "-s", "TERM")
    assert eventually(lambda: running.of("bob")["reason"]) == "left"
    assert running.of("bob")["state"] == "EXITED"
    left = "op=leave .* participant=bob reason=asked"
    eventually(lambda: re.search(left, running.layout.log("carol").read_text()))


def test_a_signal_that_says_nothing_ends_nothing(running):
    pid = running.pid("bob")
    assert "sent SIGWINCH to bob" in running.run("kill", "bob", "-s", "winch")
    assert running.of("bob")["pid"] == pid


def test_a_kill_in_the_first_second_is_a_kill_too(running):
    running.run("restart", "bob")
    running.run("kill", "bob")
    assert running.of("bob")["reason"] == "killed"
    running.run("restart", "bob")
    assert running.of("bob")["joined"]


def test_a_paused_one_is_frozen_and_goes_on_where_it_was(running):
    pid = running.pid("zoe")
    assert "zoe is paused" in running.run("pause", "zoe")
    assert process.state_of(pid) == "T"
    assert running.of("zoe")["state"] == "PAUSED"
    assert "zoe is paused already" in running.run("pause", "zoe")
    assert "`chitty unpause zoe` first" in running.run("say", "zoe", "hi", expect=1)
    assert "goes on" in running.run("unpause", "zoe")
    assert "is not paused" in running.run("unpause", "zoe")
    assert running.of("zoe")["pid"] == pid
    running.run("say", "zoe", "hi")


def ends(running, name):
    return sum(record.event == "end" for record in running.records(name))


@pytest.mark.parametrize("command", ["restart", "kill", "leave"])
def test_a_paused_one_can_be_ended(running, command):
    running.run("pause", "bob")
    before = ends(running, "bob")
    running.run(command, "bob")
    assert ends(running, "bob") == before + (command != "kill"), "it was woken and left, unless it was to be killed"
    if command == "leave":
        assert running.of("bob")["reason"] == "left"
        running.run("join", "bob")


def test_a_killed_server_comes_back_and_all_join_it_again(running):
    pid = running.pid("server")
    assert "server ended of SIGKILL" in running.run("kill", "server")
    eventually(lambda: running.status()["server"]["health"] == "SERVING")
    assert running.pid("server") != pid
    eventually(lambda: running.joined() == {"bob", "carol", "zoe"})


def test_a_restarted_server_serves_when_the_command_returns(running):
    pid = running.pid("server")
    assert "the server serves at 127.0.0.1:" in running.run("restart", "server")
    assert running.status()["server"]["health"] == "SERVING"
    assert running.pid("server") != pid
    assert running.records("server")[0].event == "start"
    eventually(lambda: running.joined() == {"bob", "carol", "zoe"})


def test_one_that_leaves_a_server_that_does_not_answer_is_told_apart(running):
    running.run("pause", "server")
    assert running.status()["server"]["state"] == "PAUSED"
    assert "bob ended without a receipt" in running.run("leave", "bob", expect=1)
    running.run("unpause", "server")
    running.run("join", "bob")


def test_a_participant_cannot_be_paused_when_it_does_not_run(running):
    running.run("kill", "bob")
    for command in ("pause", "unpause", "say"):
        arguments = ["bob", "hi"] if command == "say" else ["bob"]
        assert "`chitty restart bob`" in running.run(command, *arguments, expect=1)


def test_thirty_at_random_and_the_status_is_right_after_each(running):
    chance = random.Random(7)
    names = ["bob", "carol", "zoe", "yan", "mia"]
    for _ in range(30):
        command, name = chance.choice(["join", "leave", "kill", "pause", "unpause", "restart"]), chance.choice(names)
        done = running.call(command, name, *(["--human"] if (command, name) == ("join", "zoe") else []))
        assert done.returncode in {0, 1, 4}, done.stderr
        now = running.of(name)
        what = f"{command} {name}: {done.returncode} {done.stderr} {json.dumps(now)}"
        if done.returncode == 4:
            assert now.get("reason") in {None, "left"}, what
            continue
        if done.returncode == 1:
            assert now["state"] not in {"RUNNING", "STARTING"} or "receipt" in done.stderr, what
            continue
        as_asked = {
            "join": lambda now=now: now["joined"],
            "restart": lambda now=now: now["joined"] and now["state"] != "PAUSED",
            "leave": lambda now=now: not now or now["reason"] == "left",
            "kill": lambda now=now: now["reason"] == "killed",
            "pause": lambda now=now: now["state"] == "PAUSED",
            "unpause": lambda now=now: now["state"] in {"RUNNING", "STARTING"},
        }
        assert as_asked[command](), what
    for name in ("yan", "mia"):
        running.call("leave", name)
    for name in {"bob", "carol"} - running.joined():
        running.call("join", name)
    running.call("leave", "zoe")
    running.run("join", "zoe", "--human")


def test_a_server_on_any_port_comes_back_to_it(running):
    address = running.status()["server"]["address"]
    pid = running.pid("server")
    running.run("kill", "server")
    eventually(lambda: running.pid("server") != pid and running.status()["server"]["health"] == "SERVING")
    assert running.status()["server"]["address"] == address
    running.run("restart", "server")
    assert running.status()["server"]["address"] == address
