"""A disk that is full, may not be written, or gives back what was never written to it."""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import grpc
import pytest

from chitty import process
from chitty.wire import chitty_pb2 as pb
from tests.faults import tally
from tests.faults.ground import Ground, assert_valid
from tests.services import Peer
from tests.waiting import PATIENCE, eventually

BOTS = {"bob", "carol"}


def mount(*arguments: object) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def disk(tmp_path):
    """Mount a small file system, if this machine lets us."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a file system")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def on_disk(ground, disk):
    one = ground()
    one.configure(database__path=str(disk / "chitty.db"), grace=60.0)
    return one


def refusal(ground: Ground) -> str:
    """Start the server, which is to refuse that; return why."""
    server = ground.spawn()
    assert server.wait(PATIENCE) == 1
    facts = process.read_ready(ground.folder / "ready/server")
    assert facts["pid"] == server.pid
    log = ground.log("server").read_text()
    assert "Traceback" not in log
    assert facts["failed"] in log
    return facts["failed"]


def trouble(ground: Ground) -> str:
    return process.read_ready(ground.folder / "ready/server").get("trouble", "")


async def say(address: str, text: str) -> grpc.aio.AioRpcError | pb.Receipt:
    """Join as a stranger, say something, and return its receipt or why there is none."""
    peer = Peer(address)
    try:
        await peer.join("stranger").read()
        return (await peer.publish(text))[0]
    except grpc.aio.AioRpcError as error:
        return error
    finally:
        await peer.channel.close()


async def present(address: str) -> set[str]:
    peer = Peer(address)
    try:
        answer = await peer.stub.ListParticipants(pb.ListParticipantsRequest())
        return {one.name for one in answer.participants}
    finally:
        await peer.channel.close()


def fill(disk: Path) -> None:
    """Leave no room on a disk."""
    with (disk / "ballast").open("ab", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096):
                pass
        except OSError:
            return


async def test_while_the_disk_is_full_nothing_is_accepted_and_nothing_is_lost(on_disk, disk, record, long):
    times, one = 10 if long else 2, on_disk
    address = one.start()
    one.gather(BOTS, rate=100)
    for turn in range(times):
        one.await_acks(30)
        fill(disk)
        why = eventually(lambda: trouble(one))
        assert "chitty.db: its disk is full: make room, and it goes on" in why
        error = await say(address, "is there room?")
        assert isinstance(error, grpc.aio.AioRpcError)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await present(address) == BOTS, "reads go on"
        eventually(lambda: all_heard(one))
        if turn % 2:
            one.kill()
            assert "disk" in refusal(one), "it says so at its start"
        (disk / "ballast").unlink()
        if turn % 2:
            address = one.start()
        eventually(lambda: not trouble(one))
        one.await_acks(30)
    one.settle(BOTS)
    one.end()
    counts = tally.tally(one.folder, BOTS)
    assert counts.clean, counts.notes
    assert "Traceback" not in one.log("server").read_text()
    assert_valid(one.folder)
    record("disk full, killed and refused to start while it was", times, counts)


def all_heard(ground: Ground) -> bool:
    """Tell whether everybody heard everything that has a receipt: delivery goes on."""
    records = tally.read(ground.folder)
    acked = {note["acked"] for notes in records.values() for note in notes if "acked" in note}
    return all(acked <= {note["text"] for note in notes if "heard" in note} for notes in records.values())


def test_on_a_disk_that_may_not_be_written_it_refuses_to_start(on_disk, disk):
    one = on_disk
    one.start()
    one.participant("bob")
    one.await_acks(10)
    one.kill()
    mount("-o", "remount,ro", disk)
    why = refusal(one)
    assert "chitty.db" in why
    assert "Read-only file system" in why
    mount("-o", "remount,rw", disk)
    one.start()
    one.await_acks(10)
    one.settle({"bob"})
    one.end()
    counts = tally.tally(one.folder, {"bob"})
    assert counts.clean, counts.notes
    assert_valid(one.folder)


def test_a_database_that_is_damaged_is_refused_with_what_to_do(ground):
    one = ground()
    one.start()
    one.participant("bob", rate=100)
    one.await_acks(50)
    one.end()
    database = one.folder / "chitty.db"
    whole = database.read_bytes()
    with sqlite3.connect(database) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'log'").fetchone()
    connection.close()
    page = 4096
    table = slice((root - 1) * page, root * page)
    for damaged in (
        b"\0" * len(whole),
        whole[: len(whole) // 2],
        whole[: table.start] + b"\xff" * page + whole[table.stop :],
        whole[:100] + b"\xff" * (page - 100) + whole[page:],
    ):
        database.write_bytes(damaged)
        why = refusal(one)
        assert "begin anew with `chitty up --fresh`" in why, why
    database.write_bytes(whole)
    one.start()
    one.participant("bob", rate=100)
    one.await_acks(10)
    one.settle({"bob"})
    one.end()
    assert_valid(one.folder)
