"""The sequence that starts a stack, or what is missing of one that runs."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from chitty import process, resources, settings
from chitty.core.errors import AlreadyExists, NotRunning, StackError, TimedOut
from chitty.core.names import fold
from chitty.sequencer import sqlite
from chitty.settings import Settings
from chitty.stack import control, leftovers, limits, locks, membership, plan, trust, visiting, waiting
from chitty.stack.control import Stack, until
from chitty.stack.down import down
from chitty.stack.files import write
from chitty.stack.layout import SERVER, Detour, detour
from chitty.stack.membership import Caller
from chitty.stack.plan import File, Wish
from chitty.stack.waiting import Outcome, Watch
from chitty.wire import guard, secret

_WAIT = 30.0  # seconds
_WAIT_EACH = 1.0  # seconds a participant: two slow cores start two or three a second
_SPAWN_WAIT = 30.0  # seconds until supervisord has read its configuration and answers
_HUNG = 20.0  # seconds in which one that holds the stack has to answer


class ServerFailed(StackError):
    """The server cannot serve; the text is its own."""


@dataclass(frozen=True, slots=True)
class Request:
    """What `up` was asked for.

    Attributes:
        clients: how many, or who; None for what the settings say.
        humans: participants that only speak what they are told.
        config: a file laid over the default settings.
        port: of the server, instead of the settings'.
        fresh: archive what an earlier run left.
        insecure: listen beyond the loopback whatever guards the way in.
    """

    clients: int | tuple[str, ...] | None = None
    humans: tuple[str, ...] = ()
    config: Path | None = None
    port: int | None = None
    fresh: bool = False
    insecure: bool = False


def effective(request: Request, base: Path | None = None) -> Settings:
    """Return the settings that a request makes, over the default ones or those of `base`.

    Raises:
        SettingsError: the request's file is not usable.
    """
    default = base or resources.path("conf/chitty.yaml")
    told = settings.read(request.config, default) if request.config else settings.read(default)
    if request.config is not None:
        told = settings.located(told, request.config.parent)
    server = told.server
    if request.port is not None:
        server = msgspec.structs.replace(server, port=request.port)
    if request.insecure:
        server = msgspec.structs.replace(server, insecure=True)
    return msgspec.structs.replace(told, server=server)


def wishes(request: Request, told: Settings) -> list[Wish]:
    """Return who is to take part: those named or counted, and the humans."""
    asked = request.clients
    if isinstance(asked, tuple):
        named = list(asked)
    else:
        named = plan.names(told.clients.count if asked is None else asked, told.clients.roster)
    humans = {fold(name): name for name in request.humans}
    everyone = {fold(name): name for name in [*named, *request.humans]}
    return [Wish(name, "human" if key in humans else "bot") for key, name in everyone.items()]


def keep(told: Settings, names: Sequence[str]) -> Settings:
    """Return settings that remember who took part, so that a later `up` means the same."""
    keys = {fold(name) for name in names}
    roster = [*names, *(name for name in told.clients.roster if fold(name) not in keys)]
    clients = msgspec.structs.replace(told.clients, count=len(names), roster=roster)
    return msgspec.structs.replace(told, clients=clients)


def files(asked: Sequence[Wish], told: Settings, caller: Caller, plain: Detour) -> list[File]:
    """Return every file that a new stack is made of."""
    base = resources.path("supervisord.conf").read_text(encoding="utf-8")
    clients = [
        file for wish in asked for file in plan.client_files(wish, told, caller.python, caller.path, autostart=True)
    ]
    return [
        File("supervisord.conf", plan.base(base, plain)),
        File("settings.yaml", settings.dump(keep(told, [wish.name for wish in asked]))),
        *plan.server_files(told, caller.python),
        *clients,
    ]


def up(
    stack: Stack, request: Request, caller: Caller, wait: float | None = None, watch: Watch | None = None
) -> Outcome:
    """Start the stack, or what is missing of it, and return when all have joined or `wait` seconds are over.

    Without `wait` it is 30 seconds, and more where many interpreters have to start.

    Raises:
        StackError: supervisord or the server could not be started; of a new stack nothing is left running.
        AlreadyExists: it runs, with other options; or a guest is here, whose name is asked for or whose log would go.
        TimedOut: the server does not serve in time.
    """
    began = time.monotonic()
    stack.layout.make()
    with stack.changing():
        running = _is_running(stack)
        asked = (_complete if running else _begin)(stack, request, caller)
    names = [wish.name for wish in asked]
    deadline = began + (max(_WAIT, _WAIT_EACH * len(names)) if wait is None else wait)
    try:
        _await_server(stack, deadline, watch, len(names))
    except ServerFailed:
        if not running:
            with suppress(NotRunning):
                down(stack.present())
        raise
    return waiting.joined(stack, names, max(0.0, deadline - time.monotonic()), watch)


def _is_running(stack: Stack) -> bool:
    """Tell whether a supervisord holds the stack; one that is shutting down is waited for."""

    def held() -> bool:
        return leftovers.is_held(stack.layout)

    if not until(lambda: not held() or stack.answers(), _HUNG):
        raise StackError("a supervisord holds this stack but does not answer: `chitty down` ends it")
    return held()


def _begin(stack: Stack, request: Request, caller: Caller) -> list[Wish]:
    told = effective(request)
    asked = wishes(request, told)
    for wish in asked:
        visiting.check(stack, wish.name)
    if request.fresh:
        visiting.check_none(stack, "--fresh")
    trust.check(told, [wish.name for wish in asked])
    guard.check(told.server, secret.read(told.server.secret_file))
    plain = detour(stack.layout.directory)
    written = files(asked, told, caller, plain)
    shortage = limits.shortage()
    if shortage:
        raise StackError(shortage)
    if locks.is_held(stack.layout.life_lock):
        raise StackError(
            f"{stack.layout.life_lock} is a hard link to the lock of another stack, which runs: make copies of a"
            " stack's directory with `cp -a`, not with hard links"
        )
    _end_leftovers(stack)
    _clear(stack)
    if request.fresh:
        with sqlite.unused(stack.layout.database(told.server.database.path)[0]):
            _archive(stack, told.server.database.path)
    plain.make()
    if plain.link is not None:
        plain.link.unlink(missing_ok=True)
        plain.link.symlink_to(stack.layout.directory, target_is_directory=True)
    for file in written:
        write(stack.layout.directory / file.path, file.text)
    _spawn(stack, caller)
    return asked


def _end_leftovers(stack: Stack) -> None:
    """End what an earlier run left, its supervisord first: one whose lock was removed or replaced still runs."""
    for pids, signals in (
        (leftovers.supervisors(stack.layout), [signal.SIGKILL]),
        (leftovers.find(stack.layout, None), [signal.SIGTERM, signal.SIGKILL]),
    ):
        if pids:
            stack.tell(f"ending {len(pids)} processes that an earlier run left behind")
            leftovers.end(pids, signals)


def _complete(stack: Stack, request: Request, caller: Caller) -> list[Wish]:
    if request.fresh:
        raise AlreadyExists(f"a stack runs in {stack.layout.directory}: `chitty down` before `up --fresh`")
    told = membership.kept(stack)
    _check_same(request, told, stack.layout.settings)
    now = stack.members()
    asked = wishes(request, told)
    humans = {fold(name) for name in request.humans}
    missing = []
    for wish in asked:
        member = now.find(wish.name)
        if member is not None and member.runs and not member.over:
            if fold(wish.name) in humans and member.kind != "human":
                raise AlreadyExists(f"{member.name} is here already, as a bot: `chitty leave {member.name}` first")
        else:
            missing.append(wish if member is None else _as_before(stack, wish, member.slug))
    membership.start(stack, now, missing, told, caller)
    if not now.server.pid:
        control.start(stack, SERVER)
    return asked


def _as_before(stack: Stack, wish: Wish, slug: str) -> Wish:
    old = process.read_ready(stack.layout.client(slug))
    kind = "human" if wish.kind == "human" else str(old.get("kind", wish.kind))
    return Wish(wish.name, kind, str(old.get("run", "")))


def _check_same(request: Request, told: Settings, kept: Path) -> None:
    """Refuse options that the running stack does not have."""
    if request.port is not None and request.port != told.server.port:
        raise AlreadyExists(f"the stack runs with port {told.server.port}, not {request.port}: `chitty down` first")
    if request.insecure and not told.server.insecure:
        raise AlreadyExists("the stack runs without --insecure: `chitty down` first")
    if request.config is None:
        return
    # Laid over what it runs with: a port that was given to the first `up` is no contradiction.
    wanted = effective(request, kept)
    for section in ("server", "bot", "logs"):
        if getattr(wanted, section) != getattr(told, section):
            raise AlreadyExists(f"the stack runs with other {section} settings: `chitty down` first")
    if wanted.clients.tls != told.clients.tls:
        raise AlreadyExists("the stack runs with other clients.tls settings: `chitty down` first")


def _clear(stack: Stack) -> None:
    """Remove what an earlier run left, but its logs and its database."""
    layout = stack.layout
    layout.socket().unlink(missing_ok=True)
    layout.pidfile.unlink(missing_ok=True)
    for folder in (layout.programs, layout.clients, layout.ready):
        for path in folder.iterdir():
            if path.is_file() or path.is_symlink():
                path.unlink()


def _archive(stack: Stack, database: str) -> None:
    """Put the logs of an earlier run aside, and its database with them: either proves nothing without the other."""
    layout = stack.layout
    target = layout.directory / "archive" / time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    for path in [layout.events, *layout.database(database), *layout.logs.iterdir()]:
        if path.exists():
            place = target / (
                path.relative_to(layout.directory) if path.is_relative_to(layout.directory) else path.name
            )
            for folder in reversed(place.parents):
                if folder.is_relative_to(target.parent):  # each by itself: parents=True heeds the umask only
                    folder.mkdir(mode=0o700, exist_ok=True)
            shutil.move(path, place)
    if target.is_dir():
        stack.tell(f"archived the earlier run in {target}")


def _spawn(stack: Stack, caller: Caller) -> None:
    stack.claim()
    command = [caller.python, "-P", "-m", "supervisor.supervisord", "-c", "supervisord.conf"]
    # UTF-8, because supervisord reads its configuration in the locale's encoding. gRPC reads QUIET before the forks.
    environment = {**os.environ, "PYTHONUTF8": "1", **plan.QUIET}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command,
            cwd=stack.layout.directory,
            env=environment,
            umask=0o077,  # its own log and socket are made before it reads what its configuration says of this
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SPAWN_WAIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"cannot start supervisord: {error}") from None
    if done.returncode != 0:
        raise StackError(f"supervisord did not start: {_last_line(done.stderr or done.stdout)}")
    if not until(stack.answers, _SPAWN_WAIT):
        raise StackError(f"supervisord does not answer: see {stack.layout.logs / 'supervisord.log'}")
    stack.adopt(process.Life.of(stack.members().supervisor))


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("For help")]
    return lines[-1] if lines else "it said nothing"


def _await_server(stack: Stack, deadline: float, watch: Watch | None, total: int) -> None:
    """Wait until the server serves.

    Raises:
        ServerFailed: it never will.
        TimedOut: it did not in time.
    """
    while True:
        now = stack.members()
        if watch is not None:
            watch(now, 0, total)
        if now.server.serving:
            return
        if now.server.failed:
            raise ServerFailed(now.server.failed)
        if now.server.state == "FATAL":
            raise ServerFailed(f"the server did not start: {now.server.reason}; see {stack.layout.log(SERVER)}")
        if time.monotonic() > deadline:
            raise TimedOut(f"the server does not serve yet: see {stack.layout.log(SERVER)}, and `chitty status`")
        time.sleep(0.05)
