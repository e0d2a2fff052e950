"""Sit down at a running participant: its history, then what it hears, while what is typed is said.

Works with a terminal, where Ctrl-] lets go, and with standard input from a file or a pipe, whose end does.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from chitty import logfile
from chitty.core.errors import ChittyError, NotRunning
from chitty.stack import say, tail
from chitty.stack.control import Stack
from chitty.stack.members import Member
from chitty.stack.show import View
from chitty.stopping import stopping

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from prompt_toolkit import PromptSession

HISTORY = 200
"""Lines of its log that are shown first."""

_LET_GO_AT = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_STEP = 0.05
_LOOKS = 10  # looks at its log between two looks whether it lives


class Attached:
    """One seat at one participant."""

    def __init__(self, stack: Stack, member: Member, view: View, out: TextIO) -> None:
        self._stack = stack
        self._member = member
        self._view = view
        self._out = out
        self._only = frozenset({member.slug})

    def run(self) -> None:
        """Show and speak until somebody lets go, or the participant ends.

        Raises:
            ChittyError: without a terminal, a line that could not be said.
        """
        if sys.stdin.isatty():
            asyncio.run(self._at_terminal())
        else:
            self._from_pipe()

    def _write(self, batch: list[tail.Line]) -> None:
        self._out.write("".join(f"{self._view.render(line)}\n" for line in batch))
        self._out.flush()

    def _from_pipe(self) -> None:
        """Say each line; what was heard meanwhile is shown with each receipt, and at the end."""
        lines = self._lines()
        self._write(next(lines))
        for line in sys.stdin:
            said = say.say(self._stack, self._member.name, line.rstrip("\n"))
            if said.refusal:
                self._stack.tell(f"refused: {said.refusal}")
            self._write(next(lines))
        self._write(next(lines))

    def _lines(self) -> Iterator[list[tail.Line]]:
        """Yield the history, and then whatever has come since the last look, ready or not."""
        follower = tail.Follower(self._stack.layout.logs, self._only, tail.Filter(), at_end=True)
        yield tail.last(logfile.logs(self._stack.layout.logs, self._only), tail.Filter(), HISTORY)
        while True:
            yield follower.rest()

    async def _at_terminal(self) -> None:
        from prompt_toolkit import PromptSession  # noqa: PLC0415 - slow to import, and rarely needed
        from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent  # noqa: PLC0415
        from prompt_toolkit.patch_stdout import patch_stdout  # noqa: PLC0415

        keys = KeyBindings()

        @keys.add("c-]", eager=True)  # alone, it begins a search in the editor
        @keys.add("c-c")
        def let_go(event: KeyPressEvent) -> None:
            event.app.exit(exception=EOFError)

        prompt: PromptSession[str] = PromptSession(f"{self._member.name}> ", key_bindings=keys, erase_when_done=True)
        patched: AbstractContextManager[None] = patch_stdout(raw=True)
        with patched:
            self._out = sys.stdout
            showing = asyncio.create_task(self._show())
            typing = asyncio.create_task(self._type(prompt))
            with stopping(typing.cancel, *_LET_GO_AT):  # letting go gives the terminal back as it was
                await asyncio.wait({showing, typing}, return_when=asyncio.FIRST_COMPLETED)
            for task in (showing, typing):
                task.cancel()
            for ended in await asyncio.gather(showing, typing, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, EOFError):
                    raise ended

    async def _show(self) -> None:
        lines = self._lines()
        while True:
            for _ in range(_LOOKS):
                if batch := next(lines):
                    self._write(batch)
                await asyncio.sleep(_STEP)
            if not self._lives():
                self._write(next(lines))
                self._stack.tell(f"{self._member.name} has ended")
                return

    async def _type(self, prompt: "PromptSession[str]") -> None:
        while True:
            text = await prompt.prompt_async(handle_sigint=False)
            if text:
                self._say(text)

    def _say(self, text: str) -> None:
        try:
            say.send(self._stack, say.able(self._stack, self._member.name), say.check(text))
        except ChittyError as error:
            self._stack.tell(f"not said: {error}")

    def _lives(self) -> bool:
        try:
            now = self._stack.members().find(self._member.name)
        except NotRunning:
            return False
        return now is not None and now.pid == self._member.pid
