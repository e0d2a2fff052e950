"""Where everything of a stack is: the paths in its directory, and what a program is called there.

Writes nothing but the folders themselves, and knows no process.
"""

import hashlib
import os
import pwd
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from chitty import process
from chitty.core.errors import StackError, cause

SERVER = "server"
"""The server's program; no participant can be called so."""

START = "CHITTY_START"
"""The variable by which the environment of a program says how it is to be started: fork or exec."""

PRINTED = ".stderr"
"""How the file ends to which a supervisord without our plugin writes what a program prints."""

MAX_SOCKET_PATH = 99
"""Bytes of a socket's path: supervisord appends `.PID` while binding, and the kernel's limit is 107."""

_OTHERS = 0o077
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_HASHED = re.compile(r"p-[0-9a-f]{12}")
_TAKEN = frozenset({SERVER, "supervisord"})
_SAFE_PATH = re.compile(r"/[A-Za-z0-9/._-]*")
_PATTERN = re.compile(r"[][*?]")
_SOCKET_LINE = re.compile(r"^file=(.*)$", re.MULTILINE)


def slug(name: str) -> str:
    """Return what a participant is called in file and program names: safe in an ini file and a path.

    A name that another file has, or that looks like a hashed one, is hashed too, so that no two collide.
    """
    if _PLAIN.fullmatch(name) and name not in _TAKEN and not _HASHED.fullmatch(name):
        return name
    return f"p-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one stack; `directory` is absolute, without symbolic links."""

    directory: Path

    @classmethod
    def of(cls, directory: str | os.PathLike[str]) -> "Layout":
        """Return the layout of a directory, which need not exist.

        Raises:
            StackError: it is relative to a current directory that was removed, or cannot be looked for.
        """
        try:
            return cls(Path(directory).resolve())
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links, before Python 3.13
            why = cause(error) if isinstance(error, OSError) else str(error)
            raise StackError(f"cannot find the directory {os.fspath(directory)!r}: {why}") from None

    @property
    def config(self) -> Path:
        """What supervisord reads; it includes every file in `programs`."""
        return self.directory / "supervisord.conf"

    @property
    def settings(self) -> Path:
        """The settings that the stack was started with."""
        return self.directory / "settings.yaml"

    @property
    def server(self) -> Path:
        """What the server's process is told."""
        return self.directory / "server.json"

    @property
    def programs(self) -> Path:
        """One ini file a program."""
        return self.directory / "programs"

    @property
    def clients(self) -> Path:
        """What each participant's process is told."""
        return self.directory / "clients"

    @property
    def logs(self) -> Path:
        """One log a program, and supervisord's own."""
        return self.directory / "logs"

    @property
    def ready(self) -> Path:
        """What each process publishes about itself."""
        return self.directory / "ready"

    @property
    def locks(self) -> Path:
        """One lock a participant, held while a command speaks as it."""
        return self.directory / "locks"

    def located(self) -> str | None:
        """Return where the stack's server listens, None while it does not live."""
        return process.located(self.ready / SERVER)

    def database(self, path: str) -> list[Path]:
        """Return the files that a database consists of, or may, given what the settings call its path."""
        main = self.directory / path
        return [main.with_name(main.name + end) for end in ("", "-wal", "-shm")]

    @property
    def events(self) -> Path:
        """What happened to each process, and what was asked for."""
        return self.directory / "events.jsonl"

    @property
    def pidfile(self) -> Path:
        """Where supervisord writes its pid."""
        return self.directory / "supervisord.pid"

    @property
    def life_lock(self) -> Path:
        """Held by supervisord for as long as it lives."""
        return self.directory / "stack.lock"

    @property
    def change_lock(self) -> Path:
        """Held by a command while it changes things."""
        return self.directory / "op.lock"

    def program(self, slug: str) -> Path:
        """Return the ini file of a program."""
        return self.programs / f"{slug}.conf"

    def client(self, slug: str) -> Path:
        """Return the file that tells a participant's process what to do."""
        return self.clients / f"{slug}.json"

    def log(self, slug: str) -> Path:
        """Return the log of a program."""
        return self.logs / f"{slug}.log"

    def make(self) -> None:
        """Make the folders, for their owner only; those that others may enter are closed to them.

        Raises:
            StackError: they cannot be made, or the directory is somebody else's or has other things in it that
                closing it would take from others.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._close()
            for folder in (self.programs, self.clients, self.logs, self.ready, self.locks):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)
        except OSError as error:
            raise StackError(f"cannot make {self.directory}: {cause(error)}") from None

    def check_owner(self) -> None:
        """Refuse to change what another account owns: what is written now could not be used by that account later.

        Raises:
            StackError: the directory belongs to another account.
        """
        try:
            owner = self.directory.stat().st_uid
        except OSError as error:
            raise StackError(f"cannot use {self.directory}: {cause(error)}") from None
        if owner != os.geteuid():
            raise StackError(
                f"{self.directory} belongs to another account, {_account(owner)}: run this as {_account(owner)}, or"
                " give a directory of your own with -C"
            )

    def _close(self) -> None:
        self.check_owner()
        mode = self.directory.stat().st_mode
        if not mode & _OTHERS:
            return
        if not self._is_stack() and any(self.directory.iterdir()):
            raise StackError(
                f"{self.directory} is open to others (mode {stat.S_IMODE(mode):04o}) and has other things in"
                f" it than a stack: `chmod 700 {self.directory}`, or give another directory with -C"
            )
        self.directory.chmod(0o700)

    def _is_stack(self) -> bool:
        return any(path.exists() for path in (self.settings, self.config, self.life_lock, self.change_lock))

    def socket(self) -> Path:
        """Return the socket of this directory's supervisord, whether or not there is one.

        The written configuration names it, unless that was copied here from another directory.
        """
        own = self.directory / "s.sock"
        try:
            found = _SOCKET_LINE.search(self.config.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return own
        named = Path(found[1]) if found else own
        return named if named.name == f"{key(self.directory)}.sock" else own


@dataclass(frozen=True, slots=True)
class Detour:
    """Plain paths for a directory whose own supervisord cannot use; None where its own will do.

    Attributes:
        socket: where its own is too long for a socket.
        link: a symbolic link to the directory, where its own has characters that a pattern of files gives
            a meaning.
    """

    socket: Path | None = None
    link: Path | None = None

    def check(self) -> None:
        """Refuse a folder of these paths that is somebody else's; one that does not exist is right.

        Raises:
            StackError: it is, or cannot be looked at.
        """
        for path in filter(None, (self.socket, self.link)):
            _check_private(path.parent)

    def make(self) -> None:
        """Make the folder of these paths, for its owner only.

        Raises:
            StackError: it is somebody else's, or cannot be made.
        """
        for path in filter(None, (self.socket, self.link)):
            try:
                path.parent.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                raise StackError(
                    f"cannot make {path.parent} for the socket: {cause(error)}; use a shorter directory"
                ) from None
        self.check()


def detour(directory: Path) -> Detour:
    """Return the plain paths that a directory needs; nothing is made."""
    long = len(os.fsencode(directory / "s.sock")) > MAX_SOCKET_PATH
    magic = _PATTERN.search(str(directory)) is not None
    if not (long or magic):
        return Detour()
    plain = _private_folder() / key(directory)
    return Detour(plain.with_suffix(".sock") if long else None, plain if magic else None)


def key(directory: str | os.PathLike[str]) -> str:
    """Return what the plain paths of a directory are called: its own for good, even when it is moved.

    A copy has another one, and so has a new directory at the same path. One that does not exist is called by its path.
    """
    try:
        found = Path(directory).stat()
        text = f"{found.st_dev}:{found.st_ino}".encode()
    except OSError:
        text = os.fsencode(directory)
    return hashlib.sha256(text).hexdigest()[:16]


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _private_folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    longest = MAX_SOCKET_PATH - len("/chitty/0123456789abcdef.sock")
    usable = _SAFE_PATH.fullmatch(runtime) and len(runtime) <= longest and os.access(runtime, os.W_OK | os.X_OK)
    return Path(runtime) / "chitty" if usable else Path("/tmp") / f"chitty-{os.getuid()}"  # noqa: S108 - checked below


def _check_private(folder: Path) -> None:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StackError(f"cannot use {folder} for the socket: {cause(error)}; use a shorter directory") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & _OTHERS:
        raise StackError(f"{folder} is not a folder of yours alone: remove it, or use a shorter directory")
