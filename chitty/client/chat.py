"""A person at a terminal: a prompt that stays at the bottom while the chat goes by above it.

Lines that begin with `/` are commands here, and here only; everything else is said verbatim.
"""

import asyncio
import contextlib
import functools
import signal
import sys
import zlib
from pathlib import Path

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.validation import ValidationError, Validator

from chitty import journal, process
from chitty.client import stdin
from chitty.client.session import Session, join
from chitty.core.errors import ChittyError, InvalidArgument, SettingsError
from chitty.core.event import Event, Kind
from chitty.core.names import check_text

HELP = "/who lists who is here, /leave leaves, /help says this; a line that begins with // is said with one /"

_PALETTE = ("ansicyan", "ansigreen", "ansiyellow", "ansimagenta", "ansiblue", "ansibrightcyan", "ansibrightmagenta")


def run(name: str, address: str, log: Path) -> int:
    """Join as `name` from this terminal until the person leaves; return the process's exit code.

    Without a terminal, standard input is said line by line, and its end leaves.

    Raises:
        Refusal: the service refused the participant for good.
        SettingsError: the log cannot be written.
    """
    try:
        stream = log.open("a", encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise SettingsError(f"cannot write the log {log}: {error.strerror}; choose another with --log") from None
    with stream:
        process.log_to(stream, name)
        asyncio.run(_until_stopped(Chat(name, address)))
    return 0


class Chat:
    """One person's chat: what is typed goes out, what is delivered is shown in the total order."""

    def __init__(self, name: str, address: str) -> None:
        self._interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self._session = join(name, address, on_membership=self._on_membership)
        self._was_joined = False
        self._leaving = False

    async def run(self) -> None:
        """Join, talk, leave.

        Raises:
            Refusal: the service refused the participant for good.
        """
        self._notice(f"joining as {self._session.name} ...")
        async with self._session as me:
            showing = asyncio.create_task(self._show_events(me))
            typing = asyncio.create_task(self._prompt(me) if self._interactive else self._read(me))
            try:
                await asyncio.wait({showing, typing}, return_when=asyncio.FIRST_COMPLETED)
                if not showing.done():
                    typing.result()
                    self._leaving = True
                    await me.leave()
                await showing
            finally:
                typing.cancel()
                showing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await typing
        self._notice(f"left at Lamport time {self._session.time}")

    async def obey(self, line: str, me: Session) -> bool:
        """Do what a typed line asks for; tell whether to go on."""
        command = line.strip()
        if command == "/leave":
            return False
        if command == "/who":
            self._notice("here: " + ", ".join(await me.participants()))
        elif command == "/help":
            self._notice(HELP)
        elif line.startswith("/") and not line.startswith("//"):
            self._notice(f"{journal.escape(command)} is not a command: {HELP}")
        elif line:
            await me.publish(line[1:] if line.startswith("//") else line)
        return True

    async def _prompt(self, me: Session) -> None:
        prompt: PromptSession[str] = PromptSession(
            [("bold", me.name), ("", "> ")],
            bottom_toolbar=lambda: self._toolbar(me),
            validator=_Sayable(),
            validate_while_typing=False,
            erase_when_done=True,
            refresh_interval=0.5,
        )
        with patch_stdout(raw=True):
            going_on = True
            while going_on:
                try:
                    going_on = await self._try(await prompt.prompt_async(), me)
                except (EOFError, KeyboardInterrupt):
                    return

    async def _read(self, me: Session) -> None:
        async for line in stdin.read_lines():
            if not await self._try(line.decode(errors="surrogateescape"), me):
                return

    async def _try(self, line: str, me: Session) -> bool:
        try:
            return await self.obey(line, me)
        except ChittyError as error:
            self._show([("ansired", f"not said: {journal.escape(str(error))}")])
            return True

    async def _show_events(self, me: Session) -> None:
        async for event in me:
            self._show(_line(event))

    def _toolbar(self, me: Session) -> str:
        state = "" if me.joined else "  not connected: trying again"
        return f" Lamport time {me.time}   /who /leave /help{state}"

    def _on_membership(self, joined: bool) -> None:  # noqa: FBT001 - a callback's signature
        if joined and self._was_joined:
            self._notice("connected again")
        elif not joined and self._was_joined and not self._leaving:
            self._notice("the connection is gone: trying again")
        self._was_joined = joined or self._was_joined

    def _notice(self, text: str) -> None:
        self._show([("ansibrightblack", f"-- {text}")])

    def _show(self, fragments: list[tuple[str, str]]) -> None:
        if self._interactive:
            print_formatted_text(FormattedText(fragments))
        else:
            sys.stdout.write("".join(text for _, text in fragments) + "\n")
            sys.stdout.flush()


class _Sayable(Validator):
    """Keeps a line that cannot be said in the prompt, with the reason below it."""

    def validate(self, document: Document) -> None:
        text = document.text.removeprefix("/") if document.text.startswith("//") else document.text
        if text and not text.startswith("/"):
            try:
                check_text(text)
            except InvalidArgument as error:
                raise ValidationError(message=str(error), cursor_position=len(document.text)) from None


def _line(event: Event) -> list[tuple[str, str]]:
    stamp = ("ansibrightblack", f"{event.lamport:>6}  ")
    if event.kind is not Kind.PUBLISHED:
        return [stamp, ("italic", event.text)]
    colour = _PALETTE[zlib.crc32(event.participant.encode()) % len(_PALETTE)]
    return [stamp, (f"bold {colour}", event.participant), ("", f": {journal.escape(event.text)}")]


async def _until_stopped(chat: Chat) -> None:
    """Run a chat; SIGTERM, a hangup and Ctrl-C let it leave in good order."""
    running = asyncio.ensure_future(chat.run())
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, functools.partial(running.cancel, number.name))
    with contextlib.suppress(asyncio.CancelledError):
        await running
