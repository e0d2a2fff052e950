"""Stacks as wholes: how they start and stop, in odd directories, after accidents, and many commands at once."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chitty import process, resources
from chitty.stack import leftovers
from chitty.stack.layout import Layout, slug
from tests.integration.launching import ROOT, Stack
from tests.waiting import PATIENCE, eventually


@pytest.fixture
def stack(tmp_path):
    made = Stack(tmp_path / "stack")
    yield made
    made.end()


def alive(pids):
    return [pid for pid in pids if process.alive(pid)]


def pids_of(stack):
    status = stack.status()
    return [stack.supervisor(), status["server"]["pid"], *(one["pid"] for one in status["participants"])]


def test_the_sequence_of_a_newcomer(stack):
    assert "3 participants joined: bob, carol, dave" in stack.up("--clients", 3)
    stack.run("join", "alice")
    stack.run("leave", "bob")
    logs = stack.run("logs")
    assert "Participant alice joined Chitty-Chat at Lamport time" in logs
    assert "Participant bob left Chitty-Chat at Lamport time" in logs
    pids = [pid for pid in pids_of(stack) if pid]
    assert "stopped" in stack.run("down")
    assert alive(pids) == []
    assert not stack.layout.socket().exists()
    assert "no stack runs" in stack.run("down")
    for name in ("server", "alice", "carol", "dave"):
        assert stack.records(name)[-1].event == "end", f"{name} ended in good order"


def test_a_running_stack_gets_what_is_missing_and_no_other_options(stack):
    stack.up("--clients", "bob,carol", "--human", "zoe")
    first = {one["name"]: one["pid"] for one in stack.status()["participants"]}
    stack.run("kill", "bob")
    assert "4 participants joined" in stack.up("--clients", "bob,carol,mia")
    now = {one["name"]: one["pid"] for one in stack.status()["participants"]}
    assert now.keys() == {"bob", "carol", "mia", "zoe"}
    assert (now["carol"], now["zoe"]) == (first["carol"], first["zoe"]), "who is there stays"
    assert stack.of("zoe")["kind"] == "human"
    assert "runs with port 0, not 77" in stack.run("up", "--port", 77, expect=5)
    assert "down` before `up --fresh`" in stack.run("up", "--fresh", expect=5)
    assert "as a bot" in stack.run("up", "--human", "carol", expect=5)
    (stack.cwd / "other.yaml").write_text("bot: {rate: 3}\n")
    assert "other bot settings" in stack.run("up", "--config", "other.yaml", expect=5)
    assert "count: 3" in stack.run("config")


def test_a_fresh_start_keeps_what_an_earlier_run_left(stack):
    stack.up("--clients", 1)
    stack.run("down")
    old = stack.layout.log("bob").read_bytes()
    assert "archived the earlier run" in stack.up("--clients", 1, "--fresh")
    (kept,) = stack.layout.directory.glob("archive/*/logs/bob.log")
    assert kept.read_bytes() == old
    assert len([record for record in stack.records("bob") if record.event == "start"]) == 1


def test_the_log_of_a_guest_that_is_here_is_neither_put_aside_nor_removed(stack):
    stack.up("--clients", 0)
    log = stack.layout.log(slug("Nia"))
    with stack.start("chat", "Nia", stdin=subprocess.PIPE) as guest:
        eventually(lambda: log.exists() and " deliver " in log.read_text())
        pids = [stack.supervisor(), stack.pid("server")]
        assert "Nia is here by `chitty chat`" in stack.run("down", "--purge", expect=5)
        assert alive(pids) == pids, "nothing was touched"
        stack.run("down")
        assert "Nia is here by `chitty chat`" in stack.up("--clients", 0, "--fresh", expect=5)
        assert not (stack.layout.directory / "archive").exists()
        assert alive(pids) == []
        guest.communicate("", timeout=PATIENCE)
    assert " end " in log.read_text()
    stack.up("--clients", 0, "--fresh")
    assert not log.exists()
    stack.run("down", "--purge")
    assert not stack.layout.directory.exists()


def test_purging_leaves_nothing_but_what_is_somebody_elses(stack):
    stack.up("--clients", 1)
    (stack.layout.directory / "mine.txt").write_text("mine")
    stack.run("down", "--purge")
    assert [path.name for path in stack.layout.directory.iterdir()] == ["mine.txt"]
    (stack.layout.directory / "mine.txt").unlink()
    stack.up("--clients", 0)
    stack.run("down", "--purge")
    assert not stack.layout.directory.exists()


def test_staying_follows_the_logs_and_an_interrupt_stops_the_stack(stack):
    staying = stack.start("up", "--port", 0, "--clients", 2, "-f", stdout=subprocess.PIPE)
    with staying:
        seen = ""
        while "Participant carol joined" not in seen:
            seen += staying.stdout.readline()
        pids = pids_of(stack)
        staying.send_signal(signal.SIGINT)
        rest, said = staying.communicate(timeout=PATIENCE)
    assert staying.returncode == 130
    assert "stopping" in said
    assert "ends: left" in rest, "what happened at the end is shown too"
    assert alive(pids) == []


def test_one_that_cannot_join_in_time_is_told_and_goes_on_trying(stack):
    said = stack.up("--clients", 2, "--wait", 0, expect=6)
    assert "does not serve yet" in said or "has not joined yet" in said
    eventually(lambda: stack.joined() == {"bob", "carol"})


def test_a_port_that_is_taken_is_told_and_nothing_is_left_running(stack):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = stack.run("up", "--port", port, expect=1)
        assert f"cannot listen on 127.0.0.1:{port}: the port is taken" in said
        assert len(said.splitlines()) == 1
        assert leftovers.find(stack.layout, None) == []
        assert leftovers.supervisors(stack.layout) == []
        stack.run("status", expect=3)
        assert f"port {port} of 127.0.0.1 is taken" in stack.run("doctor", expect=1)
    assert "1 participant joined" in stack.run("up", "--port", port, "--clients", 1)


def test_supervisord_killed_takes_its_children_with_it_and_up_starts_anew(stack):
    stack.up("--clients", 2)
    pids = pids_of(stack)
    os.kill(pids[0], signal.SIGKILL)
    eventually(lambda: alive(pids) == [])
    stack.run("status", expect=3)
    assert "left s.sock and supervisord.pid behind" in stack.run("doctor", expect=1)
    stack.up("--clients", 2)
    assert stack.joined() == {"bob", "carol"}
    assert stack.supervisor() != pids[0]
    stack.run("doctor")


def test_processes_that_outlived_their_supervisord_are_found_and_ended(stack):
    stack.up("--clients", 1)
    stack.run("down")
    # A bot that ignores what ends the others: a plain process with the mark of this stack.
    environment = {**os.environ, "SUPERVISOR_SERVER_URL": f"unix://{stack.layout.directory}/s.sock"}
    program = [sys.executable, "-c", "import time; time.sleep(600)"]
    with (
        subprocess.Popen(program, env=environment, cwd=stack.layout.directory) as orphan,
        subprocess.Popen(program, env=environment, cwd=stack.cwd) as elsewhere,
    ):
        assert eventually(lambda: leftovers.find(stack.layout, None)) == [orphan.pid]
        assert f"live on: {orphan.pid}" in stack.run("doctor", expect=1)
        assert "ending 1 processes that an earlier run left behind" in stack.up("--clients", 1)
        orphan.wait(PATIENCE)
        assert process.alive(elsewhere.pid), "the mark alone, which anything inherits, proves nothing"
        elsewhere.kill()
    stack.run("doctor")


def test_a_frozen_supervisord_can_be_stopped(stack, monkeypatch):
    stack.up("--clients", 1)
    pids = pids_of(stack)
    os.kill(pids[0], signal.SIGSTOP)
    stack.run("down")
    assert alive(pids) == []


@pytest.mark.parametrize(
    "name",
    ["a b", "100%", "semi ;colon #hash", "ünï 日本", "d" * 200, "[x] *?", "q'\"u$HOME`x`"],
    ids=["space", "percent", "comment", "unicode", "long", "pattern", "quotes"],
)
def test_a_stack_can_live_in_an_odd_directory(tmp_path, monkeypatch, name):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    stack = Stack(tmp_path / name)
    try:
        stack.up("--clients", 0, "--human", "zoe")
        stack.run("join", "alice", "--human")
        stack.run("say", "zoe", "hi")
        assert stack.joined() == {"zoe", "alice"}
        eventually(lambda: "zoe: hi" in stack.run("logs", "alice"))
    finally:
        stack.end()


@pytest.mark.parametrize("name", ["bob\n[program:x]\ncommand=true", "a;b", "a #b", "%(here)s", "../../x", "a" * 33])
def test_a_name_that_tries_to_break_out_is_refused_before_anything_is_written(stack, name):
    stack.run("join", name, expect=2)
    stack.run("up", "--human", name, expect=2)
    assert not stack.layout.directory.exists()


def test_what_is_generated_starts_by_itself_with_stock_tools(stack):
    stack.up("--clients", 2)
    stack.run("join", "late")
    assert stack.layout.config.read_bytes() == resources.path("supervisord.conf").read_bytes()
    directory = stack.layout.directory
    stock = [sys.executable, "-m", "supervisor.supervisorctl"]
    listed = subprocess.run([*stock, "status"], cwd=directory, capture_output=True, text=True, check=False).stdout
    assert len(re.findall(r"^(?:server|bob|carol|late) +(?:RUNNING|STARTING)", listed, re.MULTILINE)) == 4
    stack.run("down")
    subprocess.run([sys.executable, "-m", "supervisor.supervisord"], cwd=directory, check=True, timeout=PATIENCE)
    eventually(lambda: stack.joined() == {"bob", "carol"})
    assert stack.of("late")["state"] == "STOPPED"
    second = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord"], cwd=directory, capture_output=True, text=True, check=False
    )
    assert second.returncode != 0
    assert stack.joined() == {"bob", "carol"}, "a second one does no harm"


def test_a_reload_of_supervisord_keeps_the_stack(stack):
    stack.up("--clients", 1)
    pid = stack.pid("bob")
    os.kill(stack.supervisor(), signal.SIGHUP)
    eventually(lambda: stack.call("status").returncode == 0 and stack.of("bob")["pid"] not in {None, pid})
    eventually(lambda: stack.joined() == {"bob"})
    stack.run("join", "late")
    stack.run("kill", "late")
    assert stack.of("late")["reason"] == "killed"


def test_four_ups_at_once_make_one_stack(stack):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: stack.call("up", "--port", 0, "--clients", 2), range(4)))
    assert [one.returncode for one in done] == [0, 0, 0, 0], [one.stderr for one in done]
    supervisor = stack.supervisor()
    assert leftovers.find(stack.layout, supervisor) == []
    assert stack.joined() == {"bob", "carol"}


def test_starting_and_stopping_at_once_ends_in_one_or_the_other(stack):
    chance = random.Random(3)
    commands = [
        ("up", "--port", 0, "--clients", 1),
        ("down",),
        ("join", "x"),
        ("up", "--port", 0),
        ("down",),
        ("status",),
    ]
    chance.shuffle(commands)
    with ThreadPoolExecutor(len(commands)) as pool:
        done = list(pool.map(lambda command: stack.call(*command), commands))
    assert {one.returncode for one in done} <= {0, 1, 3}, [one.stderr for one in done]
    stack.up("--clients", 1)
    assert "bob" in stack.joined()
    stack.run("doctor")


def test_a_bad_file_among_the_programs_is_named(stack):
    stack.up("--clients", 1)
    bad = stack.layout.programs / "bad.conf"
    bad.write_text("[program:bad]\nstartsecs=never\n")
    said = stack.run("join", "alice", expect=1)
    assert "bad.conf" in said
    assert not stack.layout.program("alice").exists(), "what was written for it is removed"
    assert "bad.conf is no program of the running stack" in stack.run("doctor", expect=1)
    bad.unlink()
    stack.run("join", "alice")


def test_a_bad_setting_is_named_before_anything_is_written(stack):
    (stack.cwd / "bad.yaml").write_text("server: {prot: 1}\n")
    said = stack.run("up", "--config", "bad.yaml", expect=2)
    assert "bad.yaml" in said
    assert "prot" in said
    assert not stack.layout.programs.exists() or not list(stack.layout.programs.iterdir())


def test_the_directory_can_come_from_the_environment(tmp_path):
    environment = {**os.environ, "CHITTY_DIR": str(tmp_path / "there"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "chitty", "status", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 3
    assert str(tmp_path / "there") in done.stderr
    assert json.loads(done.stdout)["server"]["state"] == "STOPPED"
    del environment["CHITTY_DIR"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert str(Path(Layout.of(tmp_path).directory) / ".chitty") in done.stderr


def test_progress_is_shown_at_a_terminal(stack):
    import pty  # noqa: PLC0415 - of this test only

    leader, follower = pty.openpty()
    with stack.start("up", "--port", 0, "--clients", 3, stderr=follower) as starting:
        os.close(follower)
        seen = b""
        try:
            while data := os.read(leader, 65536):
                seen += data
        except OSError:
            pass
        starting.communicate(timeout=PATIENCE)
    os.close(leader)
    assert starting.returncode == 0
    assert b"participants joining" in seen
    assert b"3 participants joined" in seen.splitlines()[-1]


def test_the_database_of_another_stack_that_runs_is_neither_archived_nor_removed(stack, tmp_path):
    stack.up("--clients", 1)
    database = stack.layout.directory / "chitty.db"
    other = Stack(tmp_path / "other")
    (tmp_path / "other.yaml").write_text(f"server: {{database: {{path: {database}}}}}\n")
    try:
        for more in ((), ("--fresh",)):
            said = other.up("--clients", 0, "--config", tmp_path / "other.yaml", *more, expect=1)
            assert "is in use by another server" in said
        assert "is in use by another server" in other.run("down", "--purge", expect=1)
        assert database.exists()
        stack.run("say", "bob", "still here")
    finally:
        other.end()


def test_a_service_that_may_not_listen_is_refused_before_anything_is_archived(stack, tmp_path):
    stack.up("--clients", 1)
    stack.run("down")
    (tmp_path / "open.yaml").write_text("server: {host: 0.0.0.0}\n")
    said = stack.up("--fresh", "--config", tmp_path / "open.yaml", expect=1)
    assert "refusing to listen on 0.0.0.0" in said
    assert not (stack.layout.directory / "archive").exists()
    assert stack.layout.log("bob").exists()
