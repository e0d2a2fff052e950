"""Looking for what keeps a stack from working: one finding a line, each with its remedy. Changes nothing."""

import contextlib
import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from chitty import process, settings
from chitty.core.errors import ChittyError, NotRunning, cause
from chitty.sequencer import sqlite
from chitty.stack import leftovers, limits, members, plan, trust
from chitty.stack.control import Stack
from chitty.stack.layout import SERVER, detour
from chitty.stack.members import Members, Server
from chitty.wire.address import join, proxies

_SHOWN = 3  # files that are named
_ROOM = 16 * 2**20  # bytes: some write-ahead log, and logs


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, and if not what to do."""

    well: bool
    text: str


def _well(text: str) -> Finding:
    return Finding(well=True, text=text)


def _ill(text: str) -> Finding:
    return Finding(well=False, text=text)


def examine(stack: Stack) -> Iterator[Finding]:
    """Yield what is found, the ground first and what stands on it after."""
    yield _well(f"Python {sys.version.split()[0]}, supervisor {version('supervisor')}, grpc {version('grpcio')}")
    yield _python()
    yield _open_files()
    yield from _proxies()
    if not stack.layout.directory.is_dir():
        yield _well(f"no stack in {stack.layout.directory}: `chitty up` makes one")
        return
    try:
        stack.layout.check_owner()
    except ChittyError as error:
        yield _ill(str(error))
        return  # looking at a database makes files beside it
    if not os.access(stack.layout.directory, os.R_OK | os.X_OK, effective_ids=True):
        yield _shut(stack.layout.directory, "Permission denied")
        return
    yield _socket(stack)
    yield from _owners(stack)
    yield from _stack(stack)


def _stack(stack: Stack) -> Iterator[Finding]:
    pids = leftovers.supervisors(stack.layout)
    now: Members | None = None
    try:
        now = stack.members()
    except NotRunning:
        yield from _silence(stack, pids)
    except ChittyError as error:
        yield _ill(f"{error}; `chitty down` ends what runs")
    else:
        yield _well(f"supervisord runs: pid {now.supervisor}")
    current = now.supervisor if now else next(iter(pids), None)
    old = [pid for pid in pids if pid != current] + leftovers.find(stack.layout, current)
    if old:
        yield _ill(f"processes of an earlier run live on: {_listed(old)}; `chitty up` or `chitty down` ends them")
    yield _settings(stack)
    yield from _entry(stack)
    yield from _database(stack)
    if now is not None:
        yield from _programs(stack, now)


def _python() -> Finding:
    try:
        plan.python_word(sys.executable)
    except ChittyError as error:
        return _ill(str(error))
    return _well(f"runs {sys.executable}")


def _open_files() -> Finding:
    shortage = limits.shortage()
    return _ill(shortage) if shortage else _well(f"open files: at most {limits.open_files()}")


def _proxies() -> Iterator[Finding]:
    found = proxies()
    if found:
        yield _well(f"{', '.join(found)} set: chitty uses no proxy, it always connects to the server directly")


def _socket(stack: Stack) -> Finding:
    try:
        plain = detour(stack.layout.directory)
        plain.check()
    except ChittyError as error:
        return _ill(str(error))
    return _well(f"socket {plain.socket or stack.layout.directory / 's.sock'}")


def _owners(stack: Stack) -> Iterator[Finding]:
    """Look for files that another account left here, root most of all, which this one cannot use or replace."""
    layout = stack.layout
    folders = [layout.directory, layout.programs, layout.clients, layout.logs, layout.ready, layout.locks]
    owner = layout.directory.stat().st_uid
    found: list[Path] = []
    for folder in folders:
        try:
            found += _foreign(folder, owner)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            yield _shut(folder, cause(error))
    if found:
        names = ", ".join(str(path.relative_to(layout.directory)) for path in sorted(found)[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        remedy = f"`sudo chown -R --reference={layout.directory} {layout.directory}`"
        yield _ill(f"files of another account are in the stack: {names}{more}; {remedy} makes them yours")


def _foreign(folder: Path, owner: int) -> Iterator[Path]:
    """Yield what in a folder is not the owner's; what vanishes meanwhile, as in a stack that runs, is nobody's."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_uid != owner:
                yield path


def _shut(folder: Path, why: str) -> Finding:
    return _ill(f"cannot look into {folder}: {why}; `chmod u+rwx {folder}` mends that")


def _silence(stack: Stack, pids: list[int]) -> Iterator[Finding]:
    if pids or leftovers.is_held(stack.layout):
        who = f"supervisord (pid {pids[0]})" if pids else "a process that cannot be seen from here"
        yield _ill(f"{who} holds the stack but does not answer: `chitty down` ends it")
        return
    yield _well("the stack does not run")
    stale = [path.name for path in (stack.layout.socket(), stack.layout.pidfile) if path.exists()]
    if stale:
        yield _ill(f"an earlier run left {' and '.join(stale)} behind: `chitty up` or `chitty down` clears them")


def _settings(stack: Stack) -> Finding:
    if not stack.layout.settings.exists():
        return _well("no settings yet")
    try:
        told = settings.read(stack.layout.settings)
    except ChittyError as error:
        return _ill(f"{error}; `chitty down` and `chitty up` write it anew")
    place = join(told.server.host, told.server.port)
    if told.server.port and not leftovers.is_held(stack.layout):
        why = _unusable(told.server.host, told.server.port)
        if why:
            return _ill(why)
    return _well(f"settings: {place}, {told.clients.count} participants")


def _entry(stack: Stack) -> Iterator[Finding]:
    """Look at the certificates, keys and secret that let participants in, if the settings name any."""
    try:
        told = settings.read(stack.layout.settings)
    except ChittyError:
        return  # said already
    found = list(trust.troubles(told, [str(one["name"]) for _, one in members.clients(stack.layout)]))
    yield from map(_ill, found)
    if not found and (told.server.tls.cert or told.server.secret_file):
        yield _well("certificates, keys and secret: usable and private")


def _database(stack: Stack) -> Iterator[Finding]:
    """Look at the database of the stack's server, if it has one; whether anything writes it does not matter."""
    try:
        told = settings.read(stack.layout.settings).server
    except ChittyError:
        return  # said already
    path = stack.layout.database(told.database.path)[0]
    if told.sequencer != "sqlite":
        return
    if not path.exists():
        if process.publisher(stack.layout.ready / SERVER):
            yield _ill(
                f"database {path} is gone, and the server still writes to it: `chitty restart server` begins a new one"
            )
        return
    room = shutil.disk_usage(path.parent).free
    if room < _ROOM:
        yield _ill(f"{room // 2**20} MB are free for {path}: make room before it is full")
    trouble = sqlite.examine(path)
    yield _ill(trouble) if trouble else _well(f"database {path}: whole, {room // 2**20:,} MB free")


def _unusable(host: str, port: int) -> str:
    """Return why a server cannot listen there, empty if it can."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"port {port} of {host} is taken: `chitty up --port 0` finds a free one"
            return f"cannot listen on {join(host, port)}: {cause(error)}; set server.host to an address of this machine"
    return ""


def _programs(stack: Stack, now: Members) -> Iterator[Finding]:
    yield _server(stack, now.server)
    for one in now.present():
        if not one.runs:
            yield _ill(f"{one.name} does not run: {one.reason or one.state}; `chitty restart {one.name}`")
        elif one.state == "PAUSED":
            yield _ill(f"{one.name} is paused: `chitty unpause {one.name}`")
        elif not one.joined:
            yield _ill(f"{one.name} has not joined: see `chitty logs {one.name}`")
    known = {one.slug for one in now.present()} | {SERVER}
    for path in sorted(stack.layout.programs.glob("*.conf")):
        if path.stem not in known:
            yield _ill(f"{path} is no program of the running stack: remove it")
    for slug, _ in members.clients(stack.layout):
        if slug not in known:
            yield _ill(f"{stack.layout.client(slug)} belongs to no program: remove it")


def _server(stack: Stack, server: Server) -> Finding:
    if not server.serving:
        why = server.failed or server.reason or server.state
        return _ill(f"the server does not serve: {why}; see {stack.layout.log(SERVER)}")
    if server.trouble:
        return _ill(f"the server takes nothing new: {server.trouble}")
    return _well(f"the server serves at {server.address}: pid {server.pid}")


def _listed(pids: list[int]) -> str:
    return ", ".join(f"{pid} ({process.state_of(pid)})" for pid in pids)
