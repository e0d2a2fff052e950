"""A person at a real terminal: what `chitty chat` shows, keeps and says."""

import asyncio
import contextlib
import functools
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from fcntl import F_SETPIPE_SZ, fcntl, ioctl
from pathlib import Path

import pyte
import pytest

import chitty
from chitty.client import chat, stdin
from tests.proxies import DOWN, UP, proxying
from tests.services import serving
from tests.waiting import PATIENCE, eventually_async


class Terminal:
    """`chitty chat` on a pseudo-terminal; `screen` is what a person sees there."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", **environment}
        command = [sys.executable, "-m", "chitty", "chat", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self._screen = pyte.Screen(100, 40)
        self._screen.write_process_input = self.type  # a terminal answers where its cursor is
        self._stream = pyte.ByteStream(self._screen)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def screen(self) -> str:
        with contextlib.suppress(OSError):
            while select.select([self._master], [], [], 0)[0]:
                self._stream.feed(os.read(self._master, 65_536))
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    async def shows(self, text: str) -> None:
        try:
            await eventually_async(lambda: text in self.screen())
        except AssertionError:
            raise AssertionError(f"{text!r} was not shown; the screen has:\n{self.screen()[-3000:]}") from None

    async def ends(self, code: int = 0) -> None:
        await eventually_async(lambda: self.screen() is not None and self.process.poll() is not None)
        assert self.process.returncode == code, self.screen()[-2000:]

    def hang_up(self) -> None:
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDWR)  # what `close` closes

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
async def service():
    async with serving() as service:
        yield service


@pytest.fixture
async def terminal(service, tmp_path) -> AsyncIterator[Terminal]:
    made = Terminal(tmp_path, "zoe", "--server", service.address)
    await made.shows("Participant zoe joined Chitty-Chat")
    await made.shows("zoe>")
    yield made
    made.close()


async def test_what_is_typed_is_said_and_what_is_said_is_shown(service, terminal, tmp_path):
    async with chitty.join("bob", service.address) as bob:
        terminal.type("hello bob\r")
        await terminal.shows("zoe: hello bob")
        await bob.publish("hello zoe \x1b[31m")
        await terminal.shows("bob: hello zoe \\u001b[31m")
        terminal.type("/who\r")
        await terminal.shows("here: zoe, bob")
    await terminal.shows("Participant bob left Chitty-Chat")
    terminal.type("/leave\r")
    await terminal.ends()
    log = (tmp_path / "zoe.log").read_text()
    assert 'text="hello bob"' in log
    assert "end lamport=" in log


async def test_a_line_that_is_too_long_stays_with_the_reason(terminal):
    terminal.type("x" * 129 + "\r")
    await terminal.shows("the message has 129 characters: at most 128 are allowed")
    terminal.type("\x7f\r")
    await terminal.shows("zoe: " + "x" * 80)


async def test_earlier_lines_come_back_with_the_arrow_keys(terminal):
    terminal.type("first\r")
    await terminal.shows("zoe: first")
    terminal.type("\x1b[A again\r")
    await terminal.shows("zoe: first again")


async def test_pasted_lines_are_said_line_by_line(terminal):
    terminal.type("\x1b[200~one\ntwo\x1b[201~\r")
    await terminal.shows("zoe: one")
    await terminal.shows("zoe: two")


async def test_lines_of_a_pasted_block_before_leave_are_said_and_those_after_it_are_listed_as_not_said(terminal):
    terminal.type("\x1b[200~one\ntwo\n/leave\nthree\n\n/who\x1b[201~\r")
    await terminal.shows("zoe: two")
    await terminal.shows("not said: three: it came after /leave")
    await terminal.shows("not said: /who: it came after /leave")
    await terminal.ends()
    assert "zoe: three" not in terminal.screen()


async def test_a_line_that_has_no_receipt_when_one_leaves_is_listed(tmp_path):
    async with serving() as service:
        terminal = Terminal(tmp_path, "zoe", "--server", service.address)
        await terminal.shows("Participant zoe joined Chitty-Chat")
    try:
        await terminal.shows("the connection is gone: trying again")
        terminal.type("first\rsecond\r")
        await terminal.shows("2 not receipted yet")
        terminal.type("\x03")
        await terminal.ends()
        await terminal.shows("not said: first: ")
        await terminal.shows("not said: second: ")
    finally:
        terminal.close()


async def test_control_c_clears_a_line_and_leaves_from_an_empty_one(terminal):
    terminal.type("never said\x03")
    terminal.type("said\r")
    await terminal.shows("zoe: said")
    assert "zoe: never said" not in terminal.screen()
    terminal.type("\x03")
    await terminal.ends()


async def test_one_can_leave_while_the_service_does_not_answer(tmp_path):
    async with serving() as service:
        terminal = Terminal(tmp_path, "zoe", "--server", service.address)
        await terminal.shows("Participant zoe joined Chitty-Chat")
    try:
        await terminal.shows("the connection is gone: trying again")
        terminal.type("anybody?\r")
        await terminal.shows("1 not receipted yet")
        terminal.type("\x03")
        await terminal.ends()
    finally:
        terminal.close()


async def test_a_hangup_leaves_in_good_order(service, terminal, tmp_path):
    terminal.process.send_signal(signal.SIGHUP)
    await terminal.ends()
    assert "ack lamport=" in (tmp_path / "zoe.log").read_text()


async def test_a_terminal_that_is_closed_leaves_in_good_order(service, terminal, tmp_path):
    terminal.hang_up()
    await eventually_async(lambda: terminal.process.poll() is not None)
    log = (tmp_path / "zoe.log").read_text()
    assert "ack lamport=" in log
    assert 'reason="left"' in log or "reason=left" in log


async def test_a_taken_name_ends_with_a_clear_line(service, tmp_path):
    async with chitty.join("zoe", service.address):
        terminal = Terminal(tmp_path, "Zoe", "--server", service.address)
        try:
            await terminal.ends(code=1)
            assert "name 'Zoe' is taken" in terminal.screen()
            assert "Traceback" not in terminal.screen()
        finally:
            terminal.close()


async def test_without_a_terminal_the_input_is_said_and_its_end_leaves(service, tmp_path):
    command = [sys.executable, "-m", "chitty", "chat", "zoe", "--server", service.address]
    typed = b"one\n//two\n/nothing\n" + b"x" * 129 + b"\n\xff\n"
    run = functools.partial(
        subprocess.run, command, cwd=tmp_path, input=typed, capture_output=True, timeout=PATIENCE, check=True
    )
    said = (await asyncio.to_thread(run)).stdout.decode()
    assert "zoe: one" in said
    assert "zoe: /two" in said
    assert "/nothing is not a command" in said
    assert "129 characters" in said
    assert "not valid Unicode" in said
    assert "\x1b" not in said


async def piped(folder: Path, address: str, typed: str, line: str = '"$@"') -> tuple[int, str]:
    """Run a chat with this input on a shell's command line, and return its exit code and what it printed."""
    command = [sys.executable, "-m", "chitty", "chat", "zoe", "--server", address]
    shell = ["bash", "-o", "pipefail", "-c", line, "bash", *command]
    run = functools.partial(
        subprocess.run, shell, cwd=folder, input=typed, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    done = await asyncio.to_thread(run)
    return done.returncode, done.stdout + done.stderr


async def test_lines_of_the_input_after_leave_are_listed_as_not_said(service, tmp_path):
    late = "".join(f"late {number}\n" for number in range(20_000))  # more than is read at once
    code, said = await piped(tmp_path, service.address, f"one\n/leave\n{late}")
    assert code == 0
    assert "zoe: one" in said
    assert [line for line in said.splitlines() if line.startswith("not said")] == [
        f"not said: late {number}: it came after /leave" for number in range(10)
    ]
    assert "19990 more lines were not said" in said
    assert "late" not in (tmp_path / "zoe.log").read_text()


async def test_all_of_the_input_is_said_though_nobody_reads_the_output(service, tmp_path):
    async with chitty.join("bob", service.address) as bob:
        code, _ = await piped(tmp_path, service.address, "one\ntwo\nthree\n", '"$@" | head -1')
        assert code == 0
        said = []
        async for event in bob:
            said += [event.text] if event.kind is chitty.Kind.PUBLISHED else []
            if event.kind is chitty.Kind.LEFT:
                break
    assert said == ["one", "two", "three"]


async def test_an_output_that_takes_nothing_ends_the_chat_with_an_error_and_in_good_order(service, tmp_path):
    code, said = await piped(tmp_path, service.address, "one\n", '"$@" > /dev/full')
    assert (code, said) == (1, "chitty: cannot write to standard output: No space left on device\n")
    assert "reason=left" in (tmp_path / "zoe.log").read_text().replace('"', "")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["one", "two"], "1 line was not published, 1 line may or may not have been published"),
        (["one", "two", "three"], "2 lines were not published, 1 line may or may not have been published"),
    ],
)
async def test_lines_that_were_certainly_not_published_are_told_from_those_that_may_have_been(
    service, monkeypatch, capsys, typed, told
):
    async def pieces() -> AsyncIterator[list[bytes]]:
        await eventually_async(lambda: me._session.joined)
        proxy.dropped = {UP, DOWN}
        yield [line.encode() for line in typed]

    monkeypatch.setattr(stdin, "read_pieces", pieces)
    monkeypatch.setattr(chat, "PATIENCE", 1.0)
    async with proxying(service.address) as proxy:
        me = chat.Chat("zoe", proxy.address)
        with pytest.raises(chitty.Unacknowledged, match=f"gave no receipt for 1 s: {told}$"):
            await asyncio.wait_for(me.run(), PATIENCE)
    shown = capsys.readouterr().out
    assert "the message may or may not have been published: one" in shown
    assert "not said: two: you left before its turn came" in shown


async def test_a_line_that_was_withdrawn_is_told_as_not_published(monkeypatch, capsys):
    async def pieces() -> AsyncIterator[list[bytes]]:
        await eventually_async(lambda: me._session.joined)
        await service.stop("the test says so")
        await eventually_async(lambda: not me._session.joined)
        me._session._outbox._patience = 0.3
        yield [b"one"]

    monkeypatch.setattr(stdin, "read_pieces", pieces)
    async with serving() as service:
        me = chat.Chat("zoe", service.address)
        with pytest.raises(chitty.Unavailable, match=r"gave no receipt for 30 s: 1 line was not published$"):
            await asyncio.wait_for(me.run(), PATIENCE)
    assert "not said: one: " in capsys.readouterr().out


async def test_reading_waits_while_what_was_read_is_not_said(service, monkeypatch):
    taken = []

    async def pieces() -> AsyncIterator[list[bytes]]:
        await eventually_async(lambda: me._session.joined)
        proxy.dropped = {UP, DOWN}
        for number in range(1000):
            taken.append(number)
            yield [b"again"] * 1000

    monkeypatch.setattr(stdin, "read_pieces", pieces)
    async with proxying(service.address) as proxy:
        me = chat.Chat("zoe", proxy.address)
        running = asyncio.create_task(me.run())
        await eventually_async(lambda: me._saying)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, PATIENCE)
    assert len(taken) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_a_chat_whose_full_pipe_nobody_reads(service, tmp_path, number):
    reading, writing = os.pipe()
    fcntl(writing, F_SETPIPE_SZ, 4096)
    command = [sys.executable, "-m", "chitty", "chat", "zoe", "--server", service.address]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=writing) as process:
        async with chitty.join("bob", service.address, events=False) as bob:
            while not blocked(process):
                await asyncio.gather(*(bob.publish("x" * 128) for _ in range(10)))
            process.send_signal(number)
            await eventually_async(lambda: process.poll() is not None)
    os.close(reading)
    os.close(writing)
    assert process.returncode == 0
    assert "reason=left" in (tmp_path / "zoe.log").read_text().replace('"', "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_a_chat_whose_terminal_nobody_reads(service, tmp_path, number):
    # one that does not wait for the terminal to say where its cursor is
    terminal = Terminal(tmp_path, "zoe", "--server", service.address, PROMPT_TOOLKIT_NO_CPR="1")
    await terminal.shows("zoe>")
    async with chitty.join("bob", service.address, events=False) as bob:
        while not blocked(terminal.process):
            await asyncio.gather(*(bob.publish("x" * 128) for _ in range(10)))
        terminal.process.send_signal(number)
        await eventually_async(lambda: terminal.process.poll() is not None)
    terminal.close()
    assert terminal.process.returncode == 0
    assert "reason=left" in (tmp_path / "zoe.log").read_text().replace('"', "")


def blocked(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the main thread of a process waits in a write, to a pipe or a terminal."""
    call = Path(f"/proc/{process.pid}/syscall").read_text().split()
    return call[0] in {"1", "64"} and call[1] == "0x1"  # write, on x86-64 and elsewhere
