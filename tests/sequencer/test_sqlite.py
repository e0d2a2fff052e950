"""The durable log: what is in it after it is opened again, who may open it, and what it refuses."""

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from chitty import resources, settings
from chitty.core.errors import StorageFailed
from chitty.core.event import Configure, Join, Leave, Limits, Message, Publish
from chitty.core.hub import Hub
from chitty.sequencer import Snapshot
from chitty.sequencer.sqlite import FORMAT, SqliteSequencer
from tests.waiting import PATIENCE

FORMAT_1 = Path(__file__).parent / "format-1.db"


def options(**changes: object) -> settings.Database:
    default = settings.read(resources.path("conf/chitty.yaml")).server.database
    retention = changes.pop("retention", None)
    if retention is not None:
        changes["retention"] = msgspec.structs.replace(default.retention, **retention)
    return msgspec.structs.replace(default, **changes)


@contextlib.asynccontextmanager
async def opened(path: Path, **changes: object) -> AsyncIterator[SqliteSequencer]:
    log = SqliteSequencer(path, options(**changes))
    try:
        yield log
    finally:
        log.finish()
        await log.close()


def say(number: int) -> Publish:
    return Publish("a" * 16, (Message(number, number, f"message {number}"),), wall=float(number))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chitty.db"


async def test_what_was_appended_is_there_after_it_is_opened_again(path: Path) -> None:
    async with opened(path) as log:
        epoch = log.epoch
        assert (log.last, log.written) == (0, 0)
        await log.append([say(1), say(2)])
        await log.append([say(3)])
        log.finish()
        came = [(batch.position, batch.commands, batch.own) async for batch in log.committed()]
        assert came == [(2, (say(1), say(2)), True), (3, (say(3),), True)]
        log.note_written(2)
    async with opened(path) as log:
        assert (log.epoch, log.last, log.written) == (epoch, 3, 2)
        assert [(batch.position, batch.commands, batch.own) for batch in log.read(0)] == [
            (2, (say(1), say(2)), False),
            (3, (say(3),), False),
        ]
        assert [batch.position for batch in log.read(2)] == [3]
        await log.append([say(4)])
        assert [batch.position for batch in log.read(3)] == [4]


async def test_a_mark_is_stored_with_the_next_commit(path: Path, tmp_path: Path) -> None:
    async with opened(path) as log:
        await log.append([say(1)])
        log.note_written(1)
        await log.append([say(2)])
        for file in tmp_path.glob("chitty.db*"):  # as a crash would leave them
            shutil.copy(file, tmp_path / file.name.replace("chitty", "copy"))
    async with opened(tmp_path / "copy.db") as log:
        assert (log.last, log.written) == (2, 1)


@pytest.mark.parametrize("synchronous", ["full", "normal", "off"])
async def test_it_is_as_synchronous_as_asked(path: Path, synchronous: str) -> None:
    async with opened(path, synchronous=synchronous) as log:
        (level,) = log._connection.execute("PRAGMA synchronous").fetchone()
        assert level == ["off", "normal", "full"].index(synchronous)


async def test_a_second_server_is_refused(path: Path) -> None:
    async with opened(path):
        with pytest.raises(StorageFailed, match=r"in use by another server, pid [0-9]+: stop that one"):
            SqliteSequencer(path, options())
        program = (
            "import sys, pathlib; from tests.sequencer.test_sqlite import *\n"
            "try: SqliteSequencer(pathlib.Path(sys.argv[1]), options())\n"
            "except StorageFailed as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, timeout=PATIENCE
        )
        assert "in use by another server" in done.stdout
    async with opened(path):
        pass


async def test_the_files_are_their_owners_only(path: Path, tmp_path: Path) -> None:
    async with opened(path) as log:
        await log.append([say(1)])
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert {"chitty.db", "chitty.db-wal", "chitty.db.lock"} <= modes.keys()


async def test_a_database_of_the_first_format_is_brought_up_to_date(path: Path) -> None:
    shutil.copy(FORMAT_1, path)
    async with opened(path) as log:
        assert log.epoch == "0f1e2d3c"
        assert (log.last, log.written) == (5, 5)
        hub = Hub()
        for batch in log.read(0):
            for command in batch.commands:
                assert hub.apply(command).refusal is None
        assert (hub.sequence, hub.time) == (5, 13)
        assert [member.name for member in hub.members] == ["alice"]
        await log.append([Leave("000000000000000a", 4, 15)])
        await log.keep(Snapshot(6, 6, b"state"))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT,)
    async with opened(path) as log:
        assert log.latest(6) == Snapshot(6, 6, b"state")


async def test_a_newer_format_is_refused_and_left_as_it_is(path: Path) -> None:
    async with opened(path) as log:
        await log.append([say(1)])
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={FORMAT + 1}")
    before = path.read_bytes()
    with pytest.raises(StorageFailed, match=f"has format {FORMAT + 1}, and this version knows formats up to {FORMAT}"):
        SqliteSequencer(path, options())
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cookies (name TEXT)")
    with pytest.raises(StorageFailed, match="is another program's"):
        SqliteSequencer(path, options())


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(b"this is no database" * 100), "no SQLite database"),
        (lambda path: path.mkdir(), "cannot be opened"),
    ],
)
def test_what_is_no_database_is_refused(path: Path, damage, why: str) -> None:
    damage(path)
    with pytest.raises(StorageFailed, match=why):
        SqliteSequencer(path, options())


async def test_a_damaged_database_is_refused(path: Path) -> None:
    async with opened(path) as log:
        for number in range(1, 200):
            await log.append([say(number)])
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StorageFailed, match="is damaged: begin anew"):
        SqliteSequencer(path, options())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match=r"nowhere/chitty\.db: cannot make chitty\.db\.lock .* No such file"):
        SqliteSequencer(tmp_path / "nowhere" / "chitty.db", options())


async def test_snapshots_are_found_by_position_and_by_sequence(path: Path) -> None:
    async with opened(path) as log:
        await log.append([say(number) for number in range(1, 31)])
        for position in (10, 20, 30):
            await log.keep(Snapshot(position, position * 2, b"%d" % position))
        assert log.latest(9) is None
        assert log.latest(25) == Snapshot(20, 40, b"20")
        assert log.before(19) is None
        assert log.before(20) == Snapshot(10, 20, b"10")
        assert log.before(2**64 - 1) == Snapshot(30, 60, b"30")
        assert log.oldest() == 1


async def test_what_is_more_than_retention_asks_for_is_forgotten_chapter_by_chapter(path: Path) -> None:
    async with opened(path, retention={"events": 15}) as log:
        for number in range(1, 61):
            await log.append([say(number)])
            if number % 10 == 0:
                await log.keep(Snapshot(number, number, b""))
        assert log.oldest() == 41
        assert [batch.position for batch in log.read(40)] == list(range(41, 61))
        assert log.before(39) is None
    async with opened(path) as log:
        assert (log.last, log.oldest()) == (60, 41)


async def test_what_is_too_old_is_forgotten_though_it_is_little(path: Path) -> None:
    async with opened(path, retention={"days": 1e-9}) as log:
        for number in range(1, 41):
            await log.append([say(number)])
            if number % 10 == 0:
                await log.keep(Snapshot(number, number, b""))
                await asyncio.to_thread(lambda: None)
        assert log.oldest() == 31, "the last two snapshots are needed to go on from"


async def test_a_log_for_later_rules_is_refused(path: Path) -> None:
    async with opened(path) as log:
        await log.append([Configure(Limits())])
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE log SET commands = ?", [msgspec.msgpack.encode((99, []))])
        connection.commit()
    async with opened(path) as log:
        with pytest.raises(StorageFailed, match="commands for rules 99"):
            list(log.read(0))


async def test_an_append_that_failed_leaves_nothing_and_a_later_one_succeeds(path: Path) -> None:
    async with opened(path) as log:
        await log.append([say(1)])
        (pages,) = log._connection.execute("PRAGMA page_count").fetchone()
        log._connection.execute(f"PRAGMA max_page_count={pages}")  # as full a disk as SQLite can be told of
        big = Publish("a" * 16, (Message(2, 2, "x" * 20_000),))
        with pytest.raises(StorageFailed, match="its disk is full: make room"):
            await log.append([big])
        log._connection.execute("PRAGMA max_page_count=1000000")
        await log.append([say(3), Join("b" * 16, "bob", "bob", 1, 1)])
        assert [(batch.position, len(batch.commands)) for batch in log.read(0)] == [(1, 1), (3, 2)]
