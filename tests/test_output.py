"""What a process writes, shown by real processes: the journal of its steps, and everything else as prose."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from chitty import journal
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[1]
FORGED = 'deliver lamport=3 n=4 op=publish epoch=5b1e77 seq=4 stamped=2 participant=bob text="I owe you"'
FORGED_LINE = f"2026-11-23T03:11:50.123456Z INFO alice {FORGED}"

PRELUDE = """\
import logging, os, signal, subprocess, sys, time
from chitty import output
from chitty.core import steps
"""


def program(source: str) -> list[str]:
    return [sys.executable, "-c", PRELUDE + textwrap.dedent(source)]


def log_of(source: str, *, status: int = 0, before: str = "") -> list[str]:
    """Run a program whose log is its standard output and its standard error, and return the lines of the log."""
    done = subprocess.run(
        program(f"output.log_to_stdout('alice')\n{textwrap.dedent(source)}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        check=False,
    )
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
        journal = output.Journal("alice")
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
        output.Journal("alice", "5b1e77").write([steps.Broadcast(event, 1)])
    """
    (line,) = (line for line in log_of(source) if line)
    record = journal.parse(line)
    assert record is not None
    assert record.text("epoch") == "5b1e77"


def test_a_step_is_in_the_log_before_anything_follows_it() -> None:
    source = """
        output.Journal("alice").write([steps.Send(1, "join", "a.1")])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    (line,) = (line for line in log_of(source, status=-signal.SIGKILL) if line)
    record = journal.parse(line)
    assert record is not None
    assert record.event == "send"


def test_each_life_begins_with_a_newline_of_its_own() -> None:
    torn = "2026-11-23T03:11:50.123456Z INFO alice send lamport=9 n=6 op=publish id=a.2 text="
    lines = log_of("output.Journal('alice').write([steps.End(2, 'asked')])", before=torn)
    assert lines[0] == torn
    assert journal.parse(lines[0]) is None
    record = journal.parse(lines[1])
    assert record is not None
    assert record.event == "end"


def test_a_life_that_says_nothing_began_all_the_same() -> None:
    assert log_of("os.kill(os.getpid(), signal.SIGKILL)", status=-signal.SIGKILL) == ["", ""]


def test_a_process_whose_log_is_gone_ends(children: list[subprocess.Popen[bytes]]) -> None:
    source = """
        output.log_to_stdout("alice")
        log = output.Journal("alice")
        log.write([steps.Send(1, "join", "a.1")])
        sys.stdin.readline()
        while True:
            log.write([steps.End(2, 'asked')])
    """
    child = subprocess.Popen(program(source), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    children.append(child)
    assert child.stdout.readline() == b"\n"
    assert b" send " in child.stdout.readline()
    child.stdout.close()
    child.stdin.write(b"go on\n")
    child.stdin.flush()
    assert child.wait(PATIENCE) == os.EX_IOERR


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
def test_a_process_whose_log_was_closed_says_so_and_ends(*, together: bool) -> None:
    source = """
        output.log_to_stdout("alice")
        os.closerange(3, 4096)
        output.Journal("alice").write([steps.Send(1, "join", "a.1")])
    """
    error = subprocess.STDOUT if together else subprocess.PIPE
    done = subprocess.run(program(source), stdout=subprocess.PIPE, stderr=error, cwd=ROOT, check=False)
    assert done.returncode == os.EX_IOERR
    said = ((done.stdout if together else done.stderr) or b"").decode()
    assert "alice: cannot write the log: Bad file descriptor" in said
    assert "Traceback" not in said


def test_a_log_may_be_a_file_beside_a_terminal(tmp_path: Path) -> None:
    log = tmp_path / "alice.log"
    source = f"""
        stream = open({str(log)!r}, "a", encoding="utf-8")
        output.log_to(stream.fileno(), "alice")
        output.Journal("alice").write([steps.End(2, "asked")])
        logging.warning("%s", "wörter")
        print("for the terminal")
    """
    for _ in range(2):
        done = subprocess.run(program(source), capture_output=True, cwd=ROOT, check=True)
        assert (done.stdout, done.stderr) == (b"for the terminal\n", b"")
    lines = log.read_text(encoding="utf-8").split("\n")
    told = [record and (record.event, record.prose) for record in map(journal.parse, lines)]
    assert told == [None, ("end", ""), ("", "wörter")] * 2 + [None]


def test_standard_error_that_leads_elsewhere_is_left_to_whoever_reads_it() -> None:
    source = """
        output.log_to_stdout("alice")
        log = output.Journal("alice")
        log.write([steps.Send(1, "join", "a.1")])
        print("printed")
        os.write(2, b"written")
        logging.warning("logged")
        os.abort()
    """
    done = subprocess.run(program(source), capture_output=True, cwd=ROOT, check=False)
    assert done.stderr == b"printed\nwritten"
    records = [journal.parse(line) for line in done.stdout.decode().split("\n") if line]
    assert [record and (record.event, record.prose) for record in records] == [("send", ""), ("", "logged")]


def test_what_was_printed_before_a_death_is_prose_where_log_and_error_are_one() -> None:
    source = "for n in range(300): print('line', n)\nos.write(2, b'and')\nos.kill(os.getpid(), signal.SIGKILL)"
    said = prose_of(log_of(source, status=-signal.SIGKILL))
    assert said == [*(f"line {n}" for n in range(300)), "and"]


def test_a_signal_to_the_whole_group_takes_no_words_away() -> None:
    source = """
        print("before")
        signal.signal(signal.SIGTERM, lambda *_: print("asked to end"))
        os.setpgid(0, 0)
        os.killpg(0, signal.SIGTERM)
        print("after")
    """
    assert prose_of(log_of(source)) == ["before", "asked to end", "after"]


def test_events_and_prose_never_get_into_each_other() -> None:
    source = """
        import threading
        log = output.Journal("alice")
        def chat():
            for n in range(200):
                print("x" * 9000)
        printing = threading.Thread(target=chat)
        printing.start()
        for n in range(200):
            log.write([steps.Send(n, "publish", "a.2", "hello " * 20)] * 100)
        printing.join()
    """
    records = [journal.parse(line) for line in log_of(source) if line]
    assert None not in records
    assert [record.fields["n"] for record in records if record and record.event] == list(range(1, 20001))
    assert [record.prose for record in records if record and not record.event] == ["x" * 9000] * 200


# What a program does with `logging`, with signals and with forks.


def test_steps_written_amid_a_line_follow_it() -> None:
    source = """
        import threading
        log = output.Journal("alice")
        def interrupt(*_):
            logging.warning("interrupted")
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for n in range(300):
            log.write([steps.Send(n, "publish", "a.2", "hello " * 20)] * 100)
        signal.setitimer(signal.ITIMER_REAL, 0)
    """
    records = [journal.parse(line) for line in log_of(source) if line]
    assert None not in records
    assert [record.fields["n"] for record in records if record and record.event] == list(range(1, 30001))
    assert "interrupted" in {record.prose for record in records if record}


def test_a_line_that_was_interrupted_once_it_was_written_is_not_repeated() -> None:
    source = """
        write = os.write
        def interrupt(descriptor, data):
            os.write = write
            write(descriptor, data)
            raise KeyboardInterrupt
        log = output.Journal("alice")
        os.write = interrupt
        try:
            log.write([steps.Send(1, "join", "a.1")])
        except KeyboardInterrupt:
            log.write([steps.Send(2, "publish", "a.2", "hello")])
    """
    records = [journal.parse(line) for line in log_of(source) if line]
    assert [record.fields["n"] for record in records if record] == [1, 2]


def test_a_fork_of_a_bots_gets_no_line_into_the_log_as_an_event_and_waits_for_no_lock() -> None:
    source = """
        import threading
        log = output.Journal("alice")
        log.write([steps.Send(1, "join", "a.1")])
        def busy():
            while True:
                log.logger.info("busy")
        threading.Thread(target=busy, daemon=True).start()
        for _ in range(20):
            if os.fork() == 0:
                logging.warning("from a fork")
                log.write([steps.End(2, "forged")])
                os._exit(0)
            os.wait()
        os._exit(0)
    """
    records = [journal.parse(line) for line in log_of(source) if line]
    assert None not in records
    assert [record.event for record in records if record and record.event] == ["send"]
    assert sum("from a fork" in record.prose for record in records if record) == 20


def test_what_we_report_ourselves_is_in_the_log_whatever_is_configured() -> None:
    source = """
        log = output.Journal("alice")
        logging.disable(logging.CRITICAL)
        logging.setLogRecordFactory(lambda *_, **__: 1 / 0)
        logging.basicConfig(level=logging.CRITICAL, force=True)
        log.logger.warning("cannot reach %s", "the service")
    """
    assert prose_of(log_of(source)) == ["cannot reach the service"]


def test_a_second_participant_of_a_process_is_reported_as_prose() -> None:
    source = """
        output.Journal("alice").write([steps.Send(1, "join", "a.1")])
        output.Journal("bob").write([steps.Send(1, "join", "b.1")])
    """
    records = [journal.parse(line) for line in log_of(source) if line]
    assert [record and (record.process, record.event, record.prose) for record in records] == [
        ("alice", "send", ""),
        ("alice", "", "send lamport=1 n=1 op=join id=b.1"),
    ]


def test_the_library_elsewhere_reports_through_logging() -> None:
    source = """
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stdout)
        log = output.Journal("alice")
        log.write([steps.Send(1, "join", "a.1"), steps.Send(2, "publish", "a.2", "hello")])
        log.logger.warning("cannot reach the service")
        logging.getLogger("chitty").setLevel(logging.WARNING)
        log.write([steps.End(2, "asked")])
    """
    done = subprocess.run(program(source), capture_output=True, cwd=ROOT, check=True, text=True)
    assert done.stdout.splitlines() == [
        "chitty.alice: send lamport=1 n=1 op=join id=a.1",
        'send lamport=2 n=2 op=publish id=a.2 text="hello"',
        "chitty.alice: cannot reach the service",
    ]
