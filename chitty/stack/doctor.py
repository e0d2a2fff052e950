"""Looking for what keeps a stack from working: one finding a line, each with its remedy. Changes nothing."""

import errno
import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from chitty import process, settings
from chitty.core.errors import ChittyError, NotRunning
from chitty.sequencer import sqlite
from chitty.stack import leftovers, locks, members, plan, trust
from chitty.stack.control import Stack
from chitty.stack.layout import SERVER, detour
from chitty.stack.members import Members, Server
from chitty.wire.address import join, proxies

_MINIMUM_FILES = 4096  # minfds of supervisord.conf
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
    yield _socket(stack)
    yield from _stack(stack)


def _stack(stack: Stack) -> Iterator[Finding]:
    pid = leftovers.supervisord(stack.layout)
    held = locks.is_held(stack.layout.life_lock)
    now: Members | None = None
    try:
        now = stack.members()
    except NotRunning:
        yield from _silence(stack, pid, held=held)
    except ChittyError as error:
        yield _ill(f"{error}; `chitty down` ends what runs")
    else:
        yield _well(f"supervisord runs: pid {now.supervisor}")
    old = leftovers.find(stack.layout, now.supervisor if now else pid)
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
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _MINIMUM_FILES and os.geteuid() != 0:
        return _ill(f"at most {hard} open files are allowed, supervisord needs {_MINIMUM_FILES}: raise `ulimit -Hn`")
    return _well(f"open files: at most {'any number' if hard == resource.RLIM_INFINITY else hard}")


def _proxies() -> Iterator[Finding]:
    found = proxies()
    if found:
        yield _well(f"{', '.join(found)} set: chitty uses no proxy, it always connects to the server directly")


def _socket(stack: Stack) -> Finding:
    try:
        short = detour(stack.layout.directory).socket
    except ChittyError as error:
        return _ill(str(error))
    return _well(f"socket {short or stack.layout.directory / 's.sock'}")


def _silence(stack: Stack, pid: int | None, *, held: bool) -> Iterator[Finding]:
    if held or pid is not None:
        yield _ill(f"supervisord (pid {pid}) holds the stack but does not answer: `chitty down` ends it")
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
    if told.server.port and not locks.is_held(stack.layout.life_lock):
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
        if process.alive(int(process.read_ready(stack.layout.ready / SERVER).get("pid", 0))):
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
            return (
                f"cannot listen on {join(host, port)}: {error.strerror}; set server.host to an address of this machine"
            )
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
