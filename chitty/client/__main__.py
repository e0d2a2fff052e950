"""A participant as a process: `python -m chitty.client clients/NAME.json`.

A bot speaks by itself, a human what standard input says; either speaks each line of its standard input.
SIGTERM lets it leave in good order.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from logging import Logger
from pathlib import Path
from typing import NoReturn

import msgspec

from chitty import journal, output, process, settings
from chitty.client import bot, credentials, stdin
from chitty.client.session import Session, join
from chitty.core.errors import ChittyError, InvalidArgument, Refusal, SettingsError, Unacknowledged, cause
from chitty.core.names import normalise
from chitty.settings import Program
from chitty.stopping import until_stopped

SERVER = Path("ready/server")


def _locate() -> str | None:
    """Return where the stack's service listens, as long as it lives."""
    return process.located(SERVER)


class Crashed(Exception):
    """A bot raised an exception; it has been logged."""


class Client:
    """One participant's process."""

    def __init__(self, program: Program, ready: Path) -> None:
        self._program = program
        self._ready = ready
        self._logger = output.logger(program.name)
        self._session: Session | None = None
        self._process = os.getpid()

    async def run(self) -> None:
        """Join, act until the bot ends or somebody stops it, and leave.

        Raises:
            Refusal: the service refused the participant for good.
            SettingsError: its bot is none, or a certificate, key or secret is not usable.
            Crashed: its bot raised an exception.
        """
        act = bot.load(self._program.run, self._program.path) if self._program.kind == "bot" else None
        session = join(
            self._program.name,
            self._program.server or _locate,
            events=act is not None,
            keepalive=self._program.keepalive,
            on_membership=self._on_membership,
            credentials=credentials.of(self._program.trust),
        )
        self._session = session
        async with session as me:
            listening = asyncio.create_task(self._speak_lines(me))
            try:
                await (self._act(act, me) if act is not None else me.ended())
            finally:
                listening.cancel()

    @property
    def left(self) -> bool:
        """Whether it ended in good order."""
        return self._session is not None and not self._session.gave_up

    def publish_ready(self, **facts: object) -> None:
        """Let the launcher know what became of this participant. A child that its bot forked is another matter."""
        if self.is_forked():
            return
        incarnation = self._session.incarnation if self._session else ""
        process.write_ready(self._ready, incarnation=incarnation, **facts)

    def is_forked(self) -> bool:
        """Tell whether this is a child that the bot forked: it is no participant."""
        return os.getpid() != self._process

    def _on_membership(self, joined: bool) -> None:  # noqa: FBT001 - a callback's signature
        self.publish_ready(joined=joined)

    async def _act(self, act: bot.BotFunction, me: Session) -> None:
        """Let a bot act until it ends, or the service ends the session: it may wait for what cannot come any more."""
        acting = asyncio.create_task(self._run(act, me))
        watching = asyncio.create_task(self._stop_with_session(acting, me))
        try:
            await acting
        except (Exception, asyncio.CancelledError) as error:
            if me.failure is not None:
                raise me.failure from None
            if isinstance(error, asyncio.CancelledError):
                raise
            self._logger.exception("the bot crashed")
            await me.abandon()  # a crash is part of the experiment, and stays one
            raise Crashed from error
        finally:
            watching.cancel()

    async def _run(self, act: bot.BotFunction, me: Session) -> None:
        """Run a bot. A child that it forked ends with it, at once: what a loop cleans up is its parent's there."""
        try:
            await bot.run(act, me, self._program.bot)
        except BaseException as error:
            if self.is_forked():
                _end_fork(self._logger, error)
            raise
        if self.is_forked():
            _end_fork(self._logger)

    async def _stop_with_session(self, acting: "asyncio.Task[None]", me: Session) -> None:
        with contextlib.suppress(Exception):  # which is `me.failure` as well
            await me.ended()
        if me.failure is not None:
            acting.cancel()

    async def _speak_lines(self, me: Session) -> None:
        """Publish each line of standard input, verbatim, one after the other."""
        async for line in stdin.read_lines():
            turn = journal.wall_time(time.time())
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                self._logger.warning("a line of standard input is not UTF-8 at byte %d: not said", error.start)
                continue
            try:
                await me.publish(text)
            except Unacknowledged as error:
                self._logger.warning("said or not, unknown: %s: %s", journal.line_named(text), error)
            except ChittyError as error:
                self._logger.warning("%s%s", journal.not_said(text, turn), error)


def _load(path: Path) -> Program:
    try:
        program = settings.decode(path.read_bytes(), Program, str(path))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {cause(error)}") from None
    return msgspec.structs.replace(program, name=normalise(program.name))


def main() -> int:
    """Run the process; return its exit code: 0 it left, 1 it was refused or crashed, 2 it was not started right."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and its file
        sys.stderr.write("usage: python -m chitty.client clients/NAME.json\n")
        return 2
    if os.environ.get("SUPERVISOR_ENABLED"):
        process.end_with_parent()
    path = Path(sys.argv[1])
    try:
        program = _load(path)
    except (SettingsError, InvalidArgument) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    output.log_to_stdout(program.name)
    code = _live(Client(program, Path("ready") / path.stem), output.logger(program.name))
    process.linger()
    return code


def _end_fork(logger: Logger, error: BaseException | None = None) -> NoReturn:
    """End a child that a bot forked as Python would, but without the clean-up that is its parent's."""
    status = 0 if error is None else 1
    if isinstance(error, SystemExit) and isinstance(error.code or 0, int):
        status = int(error.code or 0)
    elif isinstance(error, SystemExit):
        logger.error("%s", error.code)
    elif error is not None:
        logger.error("a child that the bot forked crashed", exc_info=error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status & 0xFF)


def _live(client: Client, logger: Logger) -> int:
    """Run a participant to its end; return the exit code. No child that its bot forked returns from here."""
    try:
        code = _report(client, logger)
    except BaseException as error:
        if client.is_forked():
            _end_fork(logger, error)
        raise
    if client.is_forked():
        os._exit(code)
    return code


def _report(client: Client, logger: Logger) -> int:
    client.publish_ready(joined=False)  # a fork is known by nothing else, should it outlive its supervisord
    try:
        asyncio.run(until_stopped(client.run(), signal.SIGTERM, signal.SIGINT))
    except ChittyError as error:
        status = error.status if isinstance(error, Refusal) else ""
        logger.error("refused: %s" if status else "%s", error)
        client.publish_ready(joined=False, refused=str(error), status=status)
    except Crashed:
        pass  # its traceback is in the log
    except Exception:
        logger.exception("crashed")
    else:
        client.publish_ready(joined=False, left=client.left)
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
