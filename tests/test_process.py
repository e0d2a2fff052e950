"""What a process does at its edge, shown by real processes: their ends, their ready files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from unittest.mock import ANY

import pytest

from chitty import process
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]
PRELUDE = "import os, sys, time\nfrom chitty import process\n"


def program(source: str) -> list[str]:
    return [sys.executable, "-c", PRELUDE + textwrap.dedent(source)]


# Its end.


def test_a_process_ends_with_its_parent(children: list[subprocess.Popen[bytes]]) -> None:
    source = """
        child = os.fork()
        if child == 0:
            process.end_with_parent()
            os.write(1, b"%d\\n" % os.getpid())
        time.sleep(60)
    """
    parent = subprocess.Popen(program(source), stdout=subprocess.PIPE, cwd=ROOT)
    children.append(parent)
    child = int(parent.stdout.readline())
    assert process.alive(child)
    parent.kill()
    eventually(lambda: not process.alive(child))


def test_a_process_does_not_end_before_it_is_old_enough_to() -> None:
    source = """
        import time
        from chitty import process
        process.linger()
        lingered = time.monotonic()
        time.sleep = lambda seconds: print(lingered, seconds)
        process.linger()
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
    lingered, again = map(float, done.stdout.split())
    assert lingered - begun >= process.MINIMUM_LIFE, "since it was started, however it was"
    assert again == 0.0


# Ready files.


def test_a_ready_file_tells_who_wrote_it(tmp_path: Path) -> None:
    ready = tmp_path / "alice"
    source = f"from pathlib import Path; process.write_ready(Path({str(ready)!r}), incarnation='9f3a', name='ålice')"
    child = subprocess.Popen(program(source), cwd=ROOT)
    assert child.wait() == 0
    assert process.read_ready(ready) == {
        "pid": child.pid,
        "started": ANY,
        "incarnation": "9f3a",
        "name": "ålice",
    }


def test_a_ready_file_is_whole_at_any_time(tmp_path: Path, children: list[subprocess.Popen[bytes]]) -> None:
    ready = tmp_path / "alice"
    source = f"""
        from pathlib import Path
        for n in range(400):
            process.write_ready(Path({str(ready)!r}), n=n, facts=[n] * 5000)
    """
    child = subprocess.Popen(program(source), cwd=ROOT)
    children.append(child)
    seen = set()
    while child.poll() is None:
        if facts := process.read_ready(ready):
            assert facts["facts"] == [facts["n"]] * 5000
            seen.add(facts["n"])
        else:
            assert not seen, "once there, it is never absent nor in part"
    assert child.returncode == 0
    assert len(seen) > 1
    assert list(tmp_path.iterdir()) == [ready]


@pytest.mark.parametrize("written", [None, b"", b'{"pid": 1', b"[1]", b"7", b"\xff", b"null"])
def test_without_whole_facts_there_are_none(tmp_path: Path, written: bytes | None) -> None:
    ready = tmp_path / "alice"
    if written is not None:
        ready.write_bytes(written)
    assert process.read_ready(ready) == {}


def test_a_directory_is_no_ready_file(tmp_path: Path) -> None:
    assert process.read_ready(tmp_path) == {}
    assert process.read_ready(tmp_path / "absent" / "alice") == {}


def test_facts_are_json(tmp_path: Path) -> None:
    process.write_ready(tmp_path / "server", address="127.0.0.1:5051", health="SERVING")
    assert json.loads((tmp_path / "server").read_text()) == {
        "pid": os.getpid(),
        "started": process.started(os.getpid()),
        "address": "127.0.0.1:5051",
        "health": "SERVING",
    }


def test_an_address_is_found_only_while_its_process_lives_and_works_in_the_same_stack(
    tmp_path: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    stack, copied, moved = tmp_path / "s", tmp_path / "k", tmp_path / "m"
    (stack / "ready").mkdir(parents=True)
    source = """
        import sys
        from pathlib import Path
        process.write_ready(Path("ready/server"), address="127.0.0.1:5051")
        print(flush=True)
        sys.stdin.read()
    """
    child = subprocess.Popen(
        program(source), cwd=stack, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=-1
    )
    children.append(child)
    assert child.stdout is not None
    child.stdout.readline()
    shutil.copytree(stack, copied)
    assert process.located(stack / "ready" / "server") == "127.0.0.1:5051"
    assert process.located(copied / "ready" / "server") is None, "what it says is another stack's"
    stack.rename(moved)
    assert process.located(moved / "ready" / "server") == "127.0.0.1:5051"
    stale = {**process.read_ready(moved / "ready" / "server"), "started": 1}
    (moved / "ready" / "server").write_text(json.dumps(stale))
    assert process.located(moved / "ready" / "server") is None, "the pid is another process's by now"


@pytest.mark.parametrize("pid", [None, "41", -1, 0, 1.5, 2**80])
def test_a_ready_file_with_a_pid_that_can_be_nobodys_leads_nowhere(tmp_path: Path, pid: object) -> None:
    (tmp_path / "ready").mkdir()
    (tmp_path / "ready" / "server").write_text(json.dumps({"pid": pid, "started": 0, "address": "127.0.0.1:5051"}))
    assert process.located(tmp_path / "ready" / "server") is None


def test_a_ready_file_is_not_written_where_nobody_waits_for_it(tmp_path: Path) -> None:
    process.write_ready(tmp_path / "absent" / "alice", joined=True)
    assert list(tmp_path.iterdir()) == []


# Who lives.


def test_this_process_lives() -> None:
    assert process.alive(os.getpid())
    assert process.state_of(os.getpid()) == "R"


def test_a_zombie_does_not_live() -> None:
    child = subprocess.Popen(["true"])
    eventually(lambda: process.state_of(child.pid) == "Z")
    assert not process.alive(child.pid)
    child.wait()
    assert process.state_of(child.pid) == ""
    assert not process.alive(child.pid)


def test_a_stopped_process_lives(children: list[subprocess.Popen[bytes]]) -> None:
    child = subprocess.Popen(["sleep", "60"])
    children.append(child)
    child.send_signal(signal.SIGSTOP)
    eventually(lambda: process.state_of(child.pid) == "T")
    assert process.alive(child.pid)


def test_the_name_of_a_process_does_not_hide_its_state(tmp_path: Path, children: list[subprocess.Popen[bytes]]) -> None:
    named = tmp_path / "a) Z 1"
    named.symlink_to("/bin/sleep")
    child = subprocess.Popen([named, "60"])
    children.append(child)
    eventually(lambda: process.state_of(child.pid) == "S")


def test_a_process_is_told_from_an_earlier_one_by_its_start(children: list[subprocess.Popen[bytes]]) -> None:
    child = subprocess.Popen(["sleep", "60"])
    children.append(child)
    assert process.started(child.pid) >= process.started(os.getpid()) > 0
    child.kill()
    child.wait()
    assert process.started(child.pid) == 0


@pytest.mark.parametrize("pid", [0, -1, 2**31])
def test_no_process_does_not_live(pid: int) -> None:
    assert not process.alive(pid)
