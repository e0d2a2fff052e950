"""Settings and names to programs: the files that a stack is made of, as text. Pure.

Only slugs and numbers go into ini files; names, phrases and options go into JSON, where they can say
anything.
"""

import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from chitty import settings
from chitty.certs import Folder
from chitty.core.errors import SettingsError
from chitty.core.names import MAX_NAME, fold
from chitty.settings import Logs, Program, Settings, Trust
from chitty.stack import grace
from chitty.stack.layout import PRINTED, SERVER, START, Detour, slug

SERVER_MODULE = "chitty.server"
CLIENT_MODULE = "chitty.client"

QUIET = {"GRPC_VERBOSITY": "NONE", "GRPC_TRACE": ""}
"""Variables that keep gRPC's own words out of the logs: they would fill them, and a trace has secrets and sessions."""

_UNWRITABLE = ("\n", "\r", "'", '"', "\\", " ;", " #", "\t", "%(here)s")


@dataclass(frozen=True, slots=True)
class Wish:
    """A participant as somebody asks for it; `run` is the bot's coroutine, empty for the settings' own."""

    name: str
    kind: str = "bot"
    run: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the plan: its path in the stack's directory, and its text."""

    path: str
    text: str


def python_word(python: str) -> str:
    """Return the path of an interpreter as a word of a `command=`.

    Raises:
        SettingsError: supervisord's configuration has no way to write it.
    """
    for unwritable in _UNWRITABLE:
        if unwritable in python:
            raise SettingsError(
                f"the path of Python {python!r} has {unwritable!r}, which supervisord cannot read: "
                "install Chitty-Chat at another path"
            )
    return shlex.quote(python).replace("%", "%%")


def base(text: str, plain: Detour) -> str:
    """Return the static base of a stack; a line of it is replaced where the directory's own path will not do."""
    if plain.socket is not None:
        text = text.replace("file=s.sock", f"file={plain.socket}", 1)
        text = text.replace("unix://s.sock", f"unix://{plain.socket}", 1)
    if plain.link is not None:
        text = text.replace("files=programs/", f"files={plain.link}/programs/", 1)
    return text


def server_program(told: Settings, python: str) -> File:
    """Return the ini file of the server: it is started again whenever it ends."""
    lines = _program(SERVER, f"{python_word(python)} -P -m {SERVER_MODULE} server.json", told)
    lines += ["priority=1", "autostart=true", "autorestart=true", "startretries=3", f"stopwaitsecs={grace.SERVER}"]
    return File(f"programs/{SERVER}.conf", "\n".join(lines) + "\n")


def client_program(name: str, told: Settings, python: str, *, autostart: bool) -> File:
    """Return the ini file of a participant: run once, for a crash is part of the experiment."""
    own = slug(name)
    command = f"{python_word(python)} -P -m {CLIENT_MODULE} clients/{own}.json"
    lines = _program(own, command, told, **{START: told.clients.start})
    lines += [
        "priority=100",
        f"autostart={'true' if autostart else 'false'}",
        "autorestart=false",
        "startretries=0",
        f"stopwaitsecs={grace.CLIENT}",
    ]
    return File(f"programs/{own}.conf", "\n".join(lines) + "\n")


def client_told(wish: Wish, told: Settings, path: Sequence[str]) -> Program:
    """Return what a participant's process is told; a user's own bot is looked for in `path`."""
    return Program(
        name=wish.name,
        kind="human" if wish.kind == "human" else "bot",
        run=wish.run or told.bot.run,
        bot=told.bot,
        keepalive=told.server.keepalive,
        path=list(path),
        trust=trust(wish.name, told),
    )


def trust(name: str, told: Settings) -> Trust:
    """Return how a participant and the service make sure of each other: paths only."""
    server, own = told.server, told.clients.tls
    folder = Folder(Path(own.certs)) if own.certs else None
    files = folder.client(name) if folder and server.tls.client_ca else None
    return Trust(
        tls=bool(server.tls.cert),
        ca=(own.ca or (str(folder.authority.cert) if folder else "")) if server.tls.cert else "",
        cert=str(files.cert) if files else "",
        key=str(files.key) if files else "",
        secret_file=server.secret_file,
        insecure=server.insecure,
    )


def client_files(wish: Wish, told: Settings, python: str, path: Sequence[str], *, autostart: bool) -> list[File]:
    """Return both files of a participant, what it is told first."""
    return [
        File(f"clients/{slug(wish.name)}.json", settings.encode(client_told(wish, told, path))),
        client_program(wish.name, told, python, autostart=autostart),
    ]


def server_files(told: Settings, python: str) -> list[File]:
    """Return both files of the server, what it is told first."""
    return [File("server.json", settings.encode(told.server)), server_program(told, python)]


def names(number: int, roster: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """Return `number` names from the roster, past it numbered on: bob2, carol2, ...; none that is taken."""
    found: list[str] = []
    used = {fold(name) for name in taken}
    for name in _numbered(roster or ["bot"]):
        if len(found) >= number:
            break
        if fold(name) not in used:
            used.add(fold(name))
            found.append(name)
    return found


def _numbered(roster: Sequence[str]) -> Iterable[str]:
    yield from roster
    for number in count(2):
        for name in roster:
            yield f"{name[: MAX_NAME - len(str(number))]}{number}"


def _program(own: str, command: str, told: Settings, **environment: str) -> list[str]:
    # PYTHONDONTWRITEBYTECODE is empty, because a child that may not write bytecode compiles everything again.
    variables = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONUTF8": "1", **QUIET, **environment}
    return [
        f"[program:{own}]",
        f"command={command}",
        "startsecs=1",
        "stopsignal=TERM",
        "stopasgroup=true",
        "killasgroup=true",
        *_log_file("stdout", f"{own}.log", told.logs),
        *_log_file("stderr", f"{own}{PRINTED}", told.logs),  # our plugin takes it into the log
        "environment=" + ",".join(f'{key}="{value}"' for key, value in variables.items()),
    ]


def _log_file(output: str, name: str, told: Logs) -> list[str]:
    return [
        f"{output}_logfile=logs/{name}",
        f"{output}_logfile_maxbytes={told.max_bytes}",
        f"{output}_logfile_backups={told.backups}",
    ]
