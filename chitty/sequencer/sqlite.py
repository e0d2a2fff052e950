"""An ordered log in a SQLite database: durable, for one server.

Write-ahead logging, one transaction for everything that waits, and a lock that is held for life: a second
server on the same database is refused. Blocking work is done in one thread of its own.
"""

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chitty.core.errors import StorageFailed, cause
from chitty.core.event import Command
from chitty.sequencer import Batch, Snapshot, codec
from chitty.sequencer.memory import new_epoch
from chitty.settings import Database, Retention

_APPLICATION = 0x43686974  # "Chit", in the header of the file: PRAGMA application_id

# What makes format N of format N - 1; a new database goes through all of them.
_STEPS = (
    (
        "CREATE TABLE about (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
        "CREATE TABLE log (position INTEGER PRIMARY KEY, commands BLOB NOT NULL)",
    ),
    (
        # Up to where had been written about the log when the row was; a column here costs no page of its own.
        "ALTER TABLE log ADD COLUMN written INTEGER NOT NULL DEFAULT 0",
        "INSERT INTO about SELECT 'closed', coalesce(max(position), 0) FROM log",
        "CREATE TABLE snapshots (position INTEGER PRIMARY KEY, sequence INTEGER, wall REAL, state BLOB) STRICT",
    ),
)

FORMAT = len(_STEPS)
"""Version of the database's format, kept in its header (PRAGMA user_version)."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")

_ANEW = "begin anew with `chitty up --fresh`, which keeps it in the archive"
_WHY = {
    sqlite3.SQLITE_FULL: "its disk is full: make room, and it goes on",
    sqlite3.SQLITE_READONLY: "it may only be read: let its owner write it and its directory",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: see that its directory exists and may be written",
    sqlite3.SQLITE_CORRUPT: f"it is damaged: {_ANEW}",
    sqlite3.SQLITE_NOTADB: f"it is no SQLite database: {_ANEW}",
    sqlite3.SQLITE_BUSY: "something else is writing it: end that",
    sqlite3.SQLITE_IOERR: "its disk fails to read or write: see the system's log",
}


class SqliteSequencer:
    """The embedded, durable log; see Sequencer for its face.

    Args:
        path: of the database; made if there is none, readable by its owner only.
        options: how durable, and what to keep.

    Attributes:
        doubt: why it begins a new order, though there was one; else empty.

    Raises:
        StorageFailed: another server has it, it is of a newer version, damaged, or may not be written.
    """

    def __init__(self, path: Path, options: Database) -> None:
        self.path = path
        self._retention = options.retention
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sequencer")
        self._lock = _lock(path)
        try:
            with _failures(path):
                self._connection = _open(path)
                self.doubt = _bring_up_to_date(self._connection, path, options.synchronous)
                self._connection.execute(f"PRAGMA synchronous={options.synchronous}")
                self._recover()
        except BaseException:
            os.close(self._lock)
            raise

    def _recover(self) -> None:
        row = self._connection.execute("SELECT position, written FROM log ORDER BY position DESC LIMIT 1").fetchone()
        self.epoch = str(_about(self._connection, "epoch"))
        closed = int(_about(self._connection, "closed"))
        self.last, written = (int(row[0]), int(row[1])) if row else (closed, 0)
        self.written = max(written, closed)
        self._position, self._noted = self.last, self.written
        self._oldest = _oldest(self._connection)

    async def append(self, commands: Sequence[Command]) -> None:
        """Commit a batch in one transaction."""
        position = self._position + len(commands)
        await self._run(self._insert, position, codec.encode(commands), self._noted)
        self._position = position
        self._batches.put_nowait(Batch(position, tuple(commands)))

    async def committed(self) -> AsyncIterator[Batch]:
        """Yield batches as they are committed, until the log is closed."""
        while (batch := await self._batches.get()) is not None:
            yield batch

    def read(self, after: int) -> Iterator[Batch]:
        """Yield the batches after a position."""
        with _failures(self.path), contextlib.closing(_connect(self.path)) as connection:
            rows = connection.execute(
                "SELECT position, commands FROM log WHERE position > ? ORDER BY position", [after]
            )
            for position, commands in rows:
                yield Batch(position, codec.decode(commands), own=False)

    def latest(self, upto: int) -> Snapshot | None:
        """Return the last snapshot at or before a position."""
        return self._snapshot("position <= ?", upto)

    def before(self, sequence: int) -> Snapshot | None:
        """Return the last snapshot that holds no event after `sequence`."""
        return self._snapshot("sequence <= ?", min(sequence, 2**63 - 1))

    def oldest(self) -> int:
        """Return the sequence of the oldest event that can be read."""
        return self._oldest

    def note_written(self, position: int) -> None:
        """Store the position with the next commit, or at the end."""
        self._noted = position

    async def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and forget what is older than retention asks for."""
        await self._run(self._keep, snapshot)

    def finish(self) -> None:
        """End `committed` after what is in it."""
        self._batches.put_nowait(None)

    async def close(self) -> None:
        """Give the database free."""
        try:
            await self._run(self._close)
        finally:
            self._thread.shutdown()
            os.close(self._lock)

    async def _run(self, work: Any, *arguments: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work, *arguments)

    def _guarded(self, work: Any, *arguments: Any) -> None:
        with _failures(self.path):
            try:
                work(*arguments)
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.rollback()
                raise

    def _insert(self, position: int, commands: bytes, written: int) -> None:
        # One statement outside a transaction is a transaction of its own.
        self._connection.execute(
            "INSERT INTO log (position, commands, written) VALUES (?, ?, ?)", (position, commands, written)
        )

    def _snapshot(self, condition: str, value: int) -> Snapshot | None:
        with _failures(self.path), contextlib.closing(_connect(self.path)) as connection:
            row = connection.execute(
                f"SELECT position, sequence, state FROM snapshots WHERE {condition}"  # noqa: S608 - of two, both above
                " ORDER BY position DESC LIMIT 1",
                [value],
            ).fetchone()
        return None if row is None else Snapshot(*row)

    def _keep(self, snapshot: Snapshot) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        run(
            "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)",
            (snapshot.position, snapshot.sequence, time.time(), snapshot.state),
        )
        cut = _cut(self._connection, snapshot.sequence, self._retention)
        if cut:
            run("DELETE FROM log WHERE position <= ?", [cut])
            run("DELETE FROM snapshots WHERE position < ?", [cut])
            run("INSERT OR REPLACE INTO about VALUES ('cut', ?)", [cut])
        self._oldest = _oldest(self._connection)  # before the commit: nobody is to look for what is gone after it
        run("COMMIT")

    def _close(self) -> None:
        run = self._connection.execute
        try:
            run("PRAGMA synchronous=full")  # what says that nothing is lost must not come before what might be
            run("BEGIN IMMEDIATE")
            run("UPDATE about SET value = ? WHERE key = 'closed'", [self._noted])
            run("DELETE FROM about WHERE key = 'boot'")
            run("COMMIT")
        finally:
            self._connection.close()


@contextlib.contextmanager
def unused(path: Path) -> Iterator[None]:
    """Keep servers out of a database, which need not exist, while it is moved or removed; its lock file stays.

    Raises:
        StorageFailed: a server has it.
    """
    if not path.exists():
        yield
        return
    lock = _lock(path)
    try:
        yield
    finally:
        os.close(lock)


def examine(path: Path) -> str:
    """Return what is wrong with a database that exists, empty when nothing is; nothing is changed. Takes its time.

    A database that is being written may be examined too.
    """
    try:
        with _failures(path), contextlib.closing(_connect(path)) as connection:
            _version(connection, path)
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
            connection.execute("BEGIN IMMEDIATE")  # may it be written?
            connection.execute("ROLLBACK")
    except StorageFailed as failure:
        return str(failure)
    return "" if found == ["ok"] else f"database {path} is damaged: {found[0]}; {_ANEW}"


@contextlib.contextmanager
def _failures(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into one that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        why = _WHY.get(code & 0xFF, str(error))  # the low byte is the kind, the rest its detail
        raise StorageFailed(f"database {path}: {why}") from None


def _connect(path: Path) -> sqlite3.Connection:
    """Connect to a database that exists; whoever does it uses the connection in one thread at a time."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )


def _open(path: Path) -> sqlite3.Connection:
    """Open the database for writing; an empty file is made where there is none."""
    with contextlib.suppress(OSError):  # what is wrong with it SQLite says in the words that are understood here
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = _connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def _folder(path: Path) -> str:
    try:
        return str(path.absolute().parent)
    except OSError:
        return "the current directory, which was removed"


def _lock(path: Path) -> int:
    """Hold the database for this process's life. SQLite's own locks would not do: they let several servers in."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageFailed(
            f"database {path}: cannot make {lock.name} in {_folder(path)}: {cause(error)};"
            " see that the directory exists and may be written"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StorageFailed(
            f"database {path} is in use by another server, pid {owner}: stop that one, or give this one another"
        ) from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name on it
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _bring_up_to_date(connection: sqlite3.Connection, path: Path, synchronous: str) -> str:
    """Make the tables of a new database, and those of an older format what they are in this one.

    It writes in any case, so that a database which may not be written is refused here. It notes how it is used,
    durably, and returns why what it held is given up, if it is.
    """
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection, path)
    for step in _STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id={_APPLICATION}")
    connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("INSERT OR IGNORE INTO about VALUES ('epoch', ?)", [new_epoch()])
    doubt = _doubt(connection)
    notes = {"opened": time.time(), "boot": _boot(), "synchronous": synchronous}
    connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", notes.items())
    connection.execute("COMMIT")
    return doubt


def _doubt(connection: sqlite3.Connection) -> str:
    """Look whether the machine went down over an open log, and draw the consequences.

    What the log's commits say was written about them may then be lost, for logs are not synced: it is written
    again from the last snapshot on. Where commits were not synced either, the last ones may be lost, though
    their events were delivered. Nobody can tell; the same sequences must not mean others, so a new order begins.
    """
    about = dict(connection.execute("SELECT key, value FROM about"))
    if about.get("boot", _boot()) == _boot():
        return ""
    run = connection.execute
    (snapshot,) = run("SELECT coalesce(max(position), 0) FROM snapshots").fetchone()
    run("UPDATE about SET value = min(value, ?) WHERE key = 'closed'", [snapshot])
    run("UPDATE log SET written = min(written, ?) WHERE position = (SELECT max(position) FROM log)", [snapshot])
    if about["synchronous"] == "full":
        return ""
    run("DELETE FROM log")
    run("DELETE FROM snapshots")
    run("DELETE FROM about WHERE key = 'cut'")
    run("UPDATE about SET value = 0 WHERE key = 'closed'")
    run("UPDATE about SET value = ? WHERE key = 'epoch'", [new_epoch()])
    return (
        f"the machine went down while the database was synchronous={about['synchronous']}: what it acknowledged last"
        " may be lost, so a new order begins, and everybody joins anew"
    )


def _boot() -> str:
    """Return what is another after each start of the machine, or empty where there is no such thing."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != _APPLICATION:
        raise StorageFailed(f"database {path} is another program's: give this server one of its own")
    if version > FORMAT:
        raise StorageFailed(
            f"database {path} has format {version}, and this version knows formats up to {FORMAT}:"
            " use the Chitty-Chat that wrote it, or another database"
        )
    return int(version)


def _about(connection: sqlite3.Connection, key: str) -> Any:
    row = connection.execute("SELECT value FROM about WHERE key = ?", [key]).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"it does not say its {key}")
    return row[0]


def _oldest(connection: sqlite3.Connection) -> int:
    """Return the first sequence that the log still tells of."""
    row = connection.execute("SELECT sequence FROM snapshots, about WHERE key = 'cut' AND position = value").fetchone()
    return 1 if row is None else int(row[0]) + 1


def _cut(connection: sqlite3.Connection, sequence: int, retention: Retention) -> int:
    """Return the position of the last snapshot that is old enough for everything before it to go, or 0."""
    latest = time.time() - retention.days * 86_400
    row = connection.execute(
        "SELECT position FROM snapshots WHERE (sequence <= ? OR wall < ?)"
        " AND position < (SELECT max(position) FROM snapshots) ORDER BY position DESC LIMIT 1",
        (sequence - retention.events, latest),
    ).fetchone()
    return 0 if row is None else int(row[0])
