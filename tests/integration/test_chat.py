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
from fcntl import ioctl
from pathlib import Path

import pyte
import pytest

import chitty
from tests.services import serving
from tests.waiting import eventually_async

pytestmark = pytest.mark.timeout(60)


class Terminal:
    """`chitty chat` on a pseudo-terminal; `screen` is what a person sees there."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
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

    async def shows(self, text: str, within: float = 15.0) -> None:
        try:
            await eventually_async(lambda: text in self.screen(), within)
        except AssertionError:
            raise AssertionError(f"{text!r} was not shown; the screen has:\n{self.screen()[-3000:]}") from None

    async def ends(self, code: int = 0, within: float = 15.0) -> None:
        await eventually_async(lambda: self.screen() is not None and self.process.poll() is not None, within)
        assert self.process.returncode == code, self.screen()[-2000:]

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
        subprocess.run, command, cwd=tmp_path, input=typed, capture_output=True, timeout=30, check=True
    )
    said = (await asyncio.to_thread(run)).stdout.decode()
    assert "zoe: one" in said
    assert "zoe: /two" in said
    assert "/nothing is not a command" in said
    assert "129 characters" in said
    assert "not valid Unicode" in said
    assert "\x1b" not in said
