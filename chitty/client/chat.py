"""A person at a terminal: a prompt that stays at the bottom while the chat goes by above it.

Lines that begin with `/` are commands here, and here only; everything else is said verbatim.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from prompt_toolkit import ANSI, PromptSession, print_formatted_text
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.validation import ValidationError, Validator

from chitty import journal, output
from chitty.client import stdin
from chitty.client.credentials import Credentials
from chitty.client.session import Locate, Session, join
from chitty.core.errors import ChittyError, InvalidArgument, SettingsError, Unacknowledged, Unavailable, cause
from chitty.core.event import Event, Kind
from chitty.core.names import check_text, normalise
from chitty.stopping import until_stopped
from chitty.streams import Unwritable
from chitty.terminal import colour_of, paint

HELP = "/who lists who is here, /leave leaves, /help says this; a line that begins with // is said with one /"

PATIENCE = 30.0
"""Seconds that receipts may take once standard input has ended, where no person is there to give up."""

_SETTLE = 5.0  # seconds that they may take where a person is there
_REST = 1.0  # seconds in which what comes after /leave is read, only to say that it is not said
_LISTED = 10  # lines that were not said, one by one
_AHEAD = 200  # lines that are taken before their turn; then reading waits, where there is no terminal

_LEAVE_AT = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_QUIET, _BOLD, _RED = "2", "1", "31"


def run(name: str, address: str | Locate, log: Path, credentials: Credentials | None = None) -> int:
    """Join as `name` from this terminal until the person leaves; return the process's exit code.

    Without a terminal, standard input is said line by line, and its end leaves.

    Raises:
        InvalidArgument: the name may not be a participant's.
        Refusal: the service refused the participant for good.
        SettingsError: the log cannot be written, or a file of the credentials is not usable.
    """
    name = normalise(name)
    try:
        stream = log.open("ab", buffering=0)
    except OSError as error:
        raise SettingsError(f"cannot write the log {log}: {cause(error)}; choose another with --log") from None
    with stream:
        output.log_to(stream.fileno(), name)
        asyncio.run(until_stopped(Chat(name, address, credentials).run(), *_LEAVE_AT))
    return 0


class Chat:
    """One person's chat: what is typed goes out, what is delivered is shown in the total order."""

    def __init__(self, name: str, address: str | Locate, credentials: Credentials | None = None) -> None:
        self._interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self._session = join(name, address, on_membership=self._on_membership, credentials=credentials)
        output.logger(self._session.name).addHandler(_Complaints(self._complain))
        self._was_joined = False
        self._leaving = False
        self._lines: asyncio.Queue[str] = asyncio.Queue(0 if self._interactive else _AHEAD)
        self._saying = ""
        self._silent = False  # whether the last line got no answer
        self._unsent = self._unknown = 0
        self._untaken: list[str] = []
        self._late = _Unsaid("it came after /leave")
        self._pieces = stdin.read_pieces()
        self._cut = False  # whether /leave left some of them unread
        self._unwritable: Unwritable | None = None
        self._failed = asyncio.Event()
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Join, talk, leave.

        Raises:
            Refusal: the service refused the participant for good.
            Unacknowledged: standard input has ended, and what it said has no receipt.
            Unavailable: standard input has ended, and some of it could not be sent.
            Unwritable: standard output cannot be written.
        """
        self._notice(f"joining as {self._session.name} ...")
        try:
            async with self._session as me:
                await self._talk(me)
            if self._cut:
                await self._read_rest()
        finally:
            self._tell_unsaid()
        self._notice(f"left at Lamport time {self._session.time}")
        if self._unwritable is not None:
            raise self._unwritable

    async def _talk(self, me: Session) -> None:
        """Let the person talk until that ends, by itself or from outside."""
        showing = asyncio.create_task(self._show_events(me))
        speaking = asyncio.create_task(self._speak(me))
        typing = asyncio.create_task(self._prompt(me) if self._interactive else self._read())
        failing = asyncio.create_task(self._failed.wait())
        try:
            await asyncio.wait({showing, typing, failing}, return_when=asyncio.FIRST_COMPLETED)
            if not showing.done():
                if typing.done():
                    typing.result()
                self._leaving = True
                await me.leave()
            await showing
        finally:
            ending = (typing, speaking, showing, failing)
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _speak(self, me: Session) -> None:
        """Say what has been typed, a line after the other, while the prompt goes on."""
        while True:
            line = self._saying = await self._lines.get()
            try:
                await me.publish(line[1:] if line.startswith("//") else line)
            except ChittyError as error:
                unknown = isinstance(error, Unacknowledged)
                self._complain_of(line, str(error), "may or may not have been said" if unknown else "not said")
                self._unknown += unknown
                self._unsent += isinstance(error, Unavailable)
                self._silent = isinstance(error, Unacknowledged | Unavailable)
            else:
                self._silent = False
            self._saying = ""  # unless this is cancelled
            self._lines.task_done()

    async def _take(self, lines: list[str]) -> bool:
        """Take what was typed, or pasted, line by line; tell whether to go on.

        At a terminal nothing waits here. Elsewhere a line waits for its turn to come near, and those after one that
        waited while the service did not answer are not taken.
        """
        for number, line in enumerate(lines):
            command = line.strip()
            if command == "/leave":
                self._late.add(lines[number + 1 :])
                return False
            if command == "/who":
                asking = asyncio.create_task(self._who())
                self._asking.add(asking)
                asking.add_done_callback(self._asking.discard)
            elif command == "/help":
                self._notice(HELP)
            elif line.startswith("/") and not line.startswith("//"):
                self._notice(f"{journal.escape(command)} is not a command: {HELP}")
            elif line:
                waits = self._lines.full()
                self._untaken = lines[number:]  # unless this is cancelled
                await self._lines.put(line)
                self._untaken = lines[number + 1 :] if waits and self._silent else []
                if self._untaken:
                    return False
        return True

    async def _settled(self, within: float) -> bool:
        """Wait until what was taken has its receipts and answers, so many seconds at most; tell whether it has."""
        try:
            async with asyncio.timeout(within):
                await self._lines.join()
                await asyncio.gather(*self._asking)
        except TimeoutError:
            return False
        return True

    def _tell_unsaid(self) -> None:
        """Say which lines were taken and not said."""
        if self._saying:
            self._notice(f"the message may or may not have been published: {journal.escape(self._saying)}")
        waiting = _Unsaid("you left before its turn came")
        waiting.add([self._lines.get_nowait() for _ in range(self._lines.qsize())])
        waiting.add(self._untaken)
        for unsaid in (waiting, self._late):
            for line in unsaid.first:
                self._complain_of(line, unsaid.why)
            if unsaid.more:
                self._notice(f"{_count(unsaid.more, 'more line')} not said")
        if self._untaken:
            self._notice("the rest of standard input was not read")

    async def _who(self) -> None:
        try:
            self._notice("here: " + ", ".join(await self._session.participants()))
        except ChittyError as error:
            self._show(self._paint(f"cannot ask who is here: {journal.escape(str(error))}", _RED))

    async def _prompt(self, me: Session) -> None:
        prompt: PromptSession[str] = PromptSession(
            [("bold", me.name), ("", "> ")],
            bottom_toolbar=lambda: self._toolbar(me),
            key_bindings=_keys(),
            validator=_Sayable(),
            validate_while_typing=False,
            erase_when_done=True,
            refresh_interval=0.5,
        )
        with patch_stdout(raw=True):
            try:
                while await self._take((await prompt.prompt_async(handle_sigint=False)).split("\n")):
                    pass
            except EOFError:
                pass
            except KeyboardInterrupt:
                return  # at once
            if self._unreceipted:
                self._notice(f"waiting for {self._unreceipted} receipts: Ctrl-C leaves without them")
            await self._settled(_SETTLE)

    async def _read(self) -> None:
        async for piece in self._pieces:
            if not await self._take([line.decode(errors="surrogateescape") for line in piece]):
                self._cut = not self._untaken
                break
        if not await self._settled(PATIENCE):
            self._unsent += self._lines.qsize()
            self._unknown += bool(self._saying)
        self._unsent += len(list(filter(None, self._untaken)))
        silence = f"the service gave no receipt for {PATIENCE:g} s"
        unsent = f"{_count(self._unsent, 'line')} not published"
        if self._unknown:
            before = f"{unsent}, " if self._unsent else ""
            lines = f"{self._unknown} line{'s' * (self._unknown > 1)}"
            raise Unacknowledged(f"{silence}: {before}{lines} may or may not have been published")
        if self._unsent:
            raise Unavailable(f"{silence}: {unsent}")

    async def _read_rest(self) -> None:
        """Take note of what standard input has after /leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REST):
                async for piece in self._pieces:
                    self._late.add([line.decode(errors="surrogateescape") for line in piece])

    @property
    def _unreceipted(self) -> int:
        return self._lines.qsize() + bool(self._saying)

    async def _show_events(self, me: Session) -> None:
        async for event in me:
            stamp = self._paint(f"{event.lamport:>6}", _QUIET)
            self._show(f"{stamp}  {self._said(event)}")

    def _said(self, event: Event) -> str:
        if event.kind is not Kind.PUBLISHED:
            return self._paint(event.text, _BOLD)
        name = self._paint(event.participant, f"{_BOLD};{colour_of(event.participant)}")
        return f"{name}: {journal.escape(event.text)}"

    def _toolbar(self, me: Session) -> str:
        waiting = f"  {self._unreceipted} not receipted yet" if self._unreceipted else ""
        state = "" if me.joined else "  not connected: trying again"
        return f" Lamport time {me.time}   /who /leave /help{waiting}{state}"

    def _on_membership(self, joined: bool) -> None:  # noqa: FBT001 - a callback's signature
        if joined and self._was_joined:
            self._notice("connected again")
        elif not joined and self._was_joined and not self._leaving:
            self._notice("the connection is gone: trying again")
        self._was_joined = joined or self._was_joined

    def _complain(self, text: str) -> None:
        """Show why it takes so long to join; later the toolbar tells that the connection is gone."""
        if not self._was_joined and not self._leaving:
            self._notice(journal.escape(text))

    def _complain_of(self, line: str, why: str, said: str = "not said") -> None:
        self._show(self._paint(f"{said}: {journal.escape(line)}: {journal.escape(why)}", _RED))

    def _notice(self, text: str) -> None:
        self._show(self._paint(f"-- {text}", _QUIET))

    def _paint(self, text: str, style: str) -> str:
        return paint(text, style) if self._interactive else text

    def _show(self, text: str) -> None:
        if self._interactive:
            print_formatted_text(ANSI(text))
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except Unwritable as error:  # whoever shows something, such as the session, is not to fail of it
            self._unwritable = error
            self._failed.set()


class _Unsaid:
    """Lines that were not said: the first of them, and how many more there are."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.first: list[str] = []
        self.more = 0

    def add(self, lines: list[str]) -> None:
        said = [line for line in lines if line]
        room = _LISTED - len(self.first)
        self.first += said[:room]
        self.more += len(said[room:])


def _count(number: int, what: str) -> str:
    return f"{number} {what} was" if number == 1 else f"{number} {what}s were"


class _Complaints(logging.Handler):
    """Hands what the session complains of to somebody who shows it."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Show a complaint."""
        self._show(record.getMessage())


class _Sayable(Validator):
    """Keeps a line that cannot be said in the prompt, with the reason below it."""

    def validate(self, document: Document) -> None:
        for line in document.text.split("\n"):
            text = line.removeprefix("/") if line.startswith("//") else line
            if text and not text.startswith("/"):
                try:
                    check_text(text)
                except InvalidArgument as error:
                    raise ValidationError(message=str(error), cursor_position=len(document.text)) from None


def _keys() -> KeyBindings:
    """Let Ctrl-C clear a line that has been begun, and leave otherwise."""
    keys = KeyBindings()

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    return keys
