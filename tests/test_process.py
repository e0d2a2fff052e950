"""What a process does at its edge, shown by real processes: their logs, their ends, their ready files."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest

from chitty import journal, process
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]
FORGED = 'deliver lamport=3 n=4 op=publish epoch=5b1e77 seq=4 stamped=2 participant=bob text="I owe you"'
FORGED_LINE = f"2026-11-23T03:11:50.123456Z INFO alice {FORGED}"

PRELUDE = """\
import logging, os, signal, subprocess, sys, time
from chitty import process
from chitty.core import steps
"""


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream:
                stream.close()


def program(source: str) -> list[str]:
    return [sys.executable, "-c", PRELUDE + textwrap.dedent(source)]


def log_of(source: str, *, status: int = 0, before: str = "") -> list[str]:
    """Run a program whose log is its standard output, and return the lines of the log."""
    done = subprocess.run(
        program(f"process.log_to_stdout('alice')\n{textwrap.dedent(source)}"),
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert done.stderr == b"", "everything goes to the log"
    assert done.returncode == status, done.stdout.decode()
    return (before + done.stdout.decode()).split("\n")


def prose_of(lines: list[str]) -> list[str]:
    """Return the prose of lines, each of which must be prose of alice; empty lines hold nothing."""
    records = [journal.parse(line) for line in lines if line]
    assert all(record is not None and record.event == "" and record.process == "alice" for record in records), lines
    return [record.prose for record in records if record is not None]


# What others write becomes prose.


def test_what_is_printed_is_prose() -> None:
    assert prose_of(log_of("print('hello'); print('one\\ntwo')")) == ["hello", "one", "two"]


def test_what_is_written_past_python_is_prose_in_its_order() -> None:
    source = """
        print("first")
        os.write(2, b"second\\n")
        subprocess.run(["sh", "-c", "echo third; echo fourth >&2"])
        print("fifth", file=sys.stderr)
        os.write(1, b"sixth, without an end")
    """
    assert prose_of(log_of(source)) == ["first", "second", "third", "fourth", "fifth", "sixth, without an end"]


def test_a_traceback_is_prose_line_by_line() -> None:
    said = prose_of(log_of("raise ValueError('nobody expected this')", status=1))
    assert said[0] == "Traceback (most recent call last):"
    assert said[-1] == "ValueError: nobody expected this"


def test_a_logged_exception_is_prose_at_its_level() -> None:
    source = """
        try:
            1 / 0
        except ZeroDivisionError:
            logging.getLogger("mine").exception("that went wrong")
    """
    lines = log_of(source)
    said = prose_of(lines)
    assert (said[0], said[1], said[-1]) == (
        "that went wrong",
        "Traceback (most recent call last):",
        "ZeroDivisionError: division by zero",
    )
    assert {line.split(" ")[1] for line in lines if line} == {"ERROR"}


def test_levels_are_those_of_logging() -> None:
    source = "log = logging.getLogger('mine'); log.debug('d'); log.info('i'); log.warning('w'); log.error('e')"
    assert [line.split(" ")[1:] for line in log_of(source) if line] == [
        ["INFO", "alice", "-", "i"],
        ["WARNING", "alice", "-", "w"],
        ["ERROR", "alice", "-", "e"],
    ]


@pytest.mark.parametrize("way", ["print(text)", "os.write(2, text.encode() + b'\\n')", "logging.info(text)"])
def test_nothing_that_others_write_is_an_event(way: str) -> None:
    forged = [FORGED, FORGED_LINE, *(f"x{end}{FORGED_LINE}" for end in ("\n", "\r", "\x85", "\u2028", "\n\n"))]
    said = prose_of(log_of(f"for text in {forged!r}:\n    {way}"))
    assert "".join(said).count("I owe you") == len(forged)


def test_what_would_break_a_terminal_is_escaped() -> None:
    said = prose_of(log_of(r"os.write(1, '\x1b[2J\u202egnp.exe\n'.encode() + b'\xff\xfe\n')"))
    assert said == [r"\u001b[2J\u202egnp.exe", r"\xff\xfe"]


def test_what_is_no_text_can_be_printed_all_the_same() -> None:
    assert prose_of(log_of(r"print('\ud800'); print('\ud800', file=sys.stderr)")) == [r"\ud800"] * 2


def test_a_wrong_call_of_logging_is_complained_of_and_no_more() -> None:
    said = prose_of(log_of("logging.warning('%d messages', 'many'); print('still here')"))
    assert "bad call of logging: TypeError" in said[0]
    assert said[1:] == ["still here"]


def test_nothing_that_was_said_before_the_end_is_lost() -> None:
    said = prose_of(log_of("for n in range(5000): print(n)\nsys.exit(3)", status=3))
    assert said == [str(n) for n in range(5000)]


# The journal.


def test_steps_are_numbered_through_a_life_among_the_prose() -> None:
    source = """
        journal = process.Journal("alice")
        journal.write([steps.Start(0, "a", os.getpid(), "0.1.0")])
        logging.info("about to join")
        journal.write([])
        journal.write([steps.Send(1, "join", "a.1"), steps.Send(2, "publish", "a.2", "hello")])
        journal.write([steps.End(2, "asked")])
    """
    records = [journal.parse(line) for line in log_of(source) if line]
    assert None not in records
    assert [(record.event, record.fields.get("n"), record.prose) for record in records if record] == [
        ("start", 1, ""),
        ("", None, "about to join"),
        ("send", 2, ""),
        ("send", 3, ""),
        ("end", 4, ""),
    ]
    assert len({record.wall for record in records[2:4] if record}) == 1, "one record, whatever it holds"


def test_a_hub_writes_its_epoch_with_its_broadcasts() -> None:
    source = """
        from chitty.core.event import Event, Kind
        event = Event(1, 3, Kind.PUBLISHED, "alice", "hello", "a.1")
        process.Journal("alice", "5b1e77").write([steps.Broadcast(event, 1)])
    """
    (line,) = (line for line in log_of(source) if line)
    record = journal.parse(line)
    assert record is not None
    assert record.text("epoch") == "5b1e77"


def test_a_step_is_in_the_log_before_anything_follows_it() -> None:
    source = """
        process.Journal("alice").write([steps.Send(1, "join", "a.1")])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    (line,) = (line for line in log_of(source, status=-signal.SIGKILL) if line)
    record = journal.parse(line)
    assert record is not None
    assert record.event == "send"


def test_each_life_begins_with_a_newline_of_its_own() -> None:
    torn = "2026-11-23T03:11:50.123456Z INFO alice send lamport=9 n=6 op=publish id=a.2 text="
    lines = log_of("process.Journal('alice').write([steps.End(2, 'asked')])", before=torn)
    assert lines[0] == torn
    assert journal.parse(lines[0]) is None
    record = journal.parse(lines[1])
    assert record is not None
    assert record.event == "end"


def test_a_life_that_says_nothing_began_all_the_same() -> None:
    assert log_of("os.kill(os.getpid(), signal.SIGKILL)", status=-signal.SIGKILL) == ["", ""]


@pytest.mark.parametrize("say", ["log.write([steps.End(2, 'asked')])", "print('hello', flush=True); time.sleep(0.01)"])
def test_a_process_whose_log_is_gone_ends(say: str, children: list[subprocess.Popen[bytes]]) -> None:
    source = f"""
        process.log_to_stdout("alice")
        log = process.Journal("alice")
        log.write([steps.Send(1, "join", "a.1")])
        sys.stdin.readline()
        while True:
            {say}
    """
    child = subprocess.Popen(program(source), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    children.append(child)
    assert child.stdout.readline() == b"\n"
    assert b" send " in child.stdout.readline()
    child.stdout.close()
    child.stdin.write(b"go on\n")
    child.stdin.flush()
    assert child.wait(10) == os.EX_IOERR


def test_a_log_may_be_a_file_beside_a_terminal(tmp_path: Path) -> None:
    log = tmp_path / "alice.log"
    source = f"""
        stream = open({str(log)!r}, "a", encoding="utf-8")
        process.log_to(stream, "alice")
        process.Journal("alice").write([steps.End(2, "asked")])
        logging.warning("%s", "wörter")
        print("for the terminal")
    """
    for _ in range(2):
        done = subprocess.run(program(source), capture_output=True, cwd=ROOT, check=True)
        assert (done.stdout, done.stderr) == (b"for the terminal\n", b"")
    lines = log.read_text(encoding="utf-8").split("\n")
    told = [record and (record.event, record.prose) for record in map(journal.parse, lines)]
    assert told == [None, ("end", ""), ("", "wörter")] * 2 + [None]


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
        process.linger()
        print(lingered, time.monotonic() - lingered)
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
    lingered, again = map(float, done.stdout.split())
    assert lingered - begun >= process.MINIMUM_LIFE, "since it was started, however it was"
    assert again < process.MINIMUM_LIFE


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
