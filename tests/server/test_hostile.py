"""Hundreds of hostile inputs against a real server: each gets its status, and leaves it, its log and others well."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from chitty.trace.check import check
from chitty.trace.verdict import Judgement
from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity, status
from chitty.wire.chitty_pb2_grpc import ChittyChatStub
from tests.running import UNSAFE, Running, check_lines, running
from tests.server import hostile
from tests.server.hostile import Row, World
from tests.services import METHOD, blocking
from tests.waiting import PATIENCE, eventually

ROWS = hostile.rows()


def test_there_are_hundreds_of_them() -> None:
    assert len(ROWS) >= 400


class Attack:
    """Mallory, who belongs, and every other session that a row asks for, at one server."""

    def __init__(self, target: Running) -> None:
        self.target = target
        self.channel = blocking(target.address)
        self.stub = ChittyChatStub(self.channel)
        self._names = itertools.count(1)
        self._trudy, _ = self._joined("trudy", leaves=True)
        self._mallory, self._stream = self._joined("mallory")
        victor, self._victim = self._joined("victor")
        self.present = [one.name for one in self.members().participants]
        self.world = World(self.members().epoch, 0, 0, self._mallory, 10, self._trudy, identity.incarnation_of(victor))
        self._publish("Publish", hostile.publish(hostile.message(9)), identity.credentials(self._mallory))
        self._seen = 0
        self.refresh()

    def _joined(self, name: str, *, leaves: bool = False) -> tuple[str, object]:
        session = identity.new_session()
        metadata = identity.credentials(session)
        stream = self.stub.Join(pb.JoinRequest(participant=name, number=1, lamport=1), metadata=metadata)
        next(stream)
        if leaves:
            self._publish("Publish", hostile.publish(hostile.message(2)), metadata)
            self.stub.Leave(pb.LeaveRequest(number=3, lamport=3), metadata=metadata)
        return session, stream

    def _publish(self, method: str, data: bytes, metadata: hostile.Metadata) -> None:
        list(self.channel.stream_stream(METHOD + method)(iter([data]), metadata=metadata, timeout=PATIENCE))

    def members(self) -> pb.ListParticipantsResponse:
        return self.stub.ListParticipants(pb.ListParticipantsRequest(), timeout=PATIENCE)

    def refresh(self) -> str:
        """Look at what the server wrote since the last look; let the rows know where its hub is."""
        text = self.target.log.read_text(encoding="utf-8")
        new, self._seen = text[self._seen :], len(text)
        broadcasts = [event for event in self.target_events(new) if event.startswith("broadcast ")]
        if broadcasts:
            said = dict(part.partition("=")[::2] for part in broadcasts[-1].split(" ") if "=" in part)
            self.world.head, self.world.time = int(said["seq"]), int(said["lamport"])
        return new

    @staticmethod
    def target_events(text: str) -> list[str]:
        """Return the steps of the hub in lines of its log."""
        steps = [line.split(" ", 3)[3] for line in text.split("\n") if line]
        return [step for step in steps if not step.startswith("- ")]

    def send(self, row: Row) -> tuple[str, str]:
        """Send what a row says; return the status, and the field at fault."""
        path = row.method if row.method.startswith("/") else METHOD + row.method
        call = self.channel.stream_stream(path)(
            iter(row.messages(self.world)), metadata=row.metadata_in(self.world), timeout=PATIENCE
        )
        try:
            if row.method == "Join":
                next(call)
                call.cancel()
                return "OK", ""
            list(call)
        except grpc.RpcError as error:
            field = status.refusal(error.code(), error.details(), error.trailing_metadata()).field
            return error.code().name, field
        return call.code().name, ""

    def expect(self, row: Row) -> str:
        """Send a row, and see that it got what it has to get, and did nothing else; return what was logged."""
        found = self.send(row)
        assert found == (row.code, row.field), row.name
        if row.accepted and row.method == "Join":
            eventually(lambda: len(self.members().participants) == len(self.present))
        assert [one.name for one in self.members().participants] == self.present, row.name
        if row.accepted and row.method == "Publish":
            self.world.number += row.accepted
        new = self.refresh()
        check_lines(new)
        steps = [step.split(" ")[0] for step in self.target_events(new)]
        mine = {("Publish", 1): ["receive", "broadcast"], ("Join", 1): ["receive", "broadcast", "detect", "broadcast"]}
        assert steps == mine.get((row.method, row.accepted), []), row.name
        assert self.target.server.poll() is None
        return new

    def close(self) -> None:
        self.channel.close()


@contextlib.contextmanager
def attacking(target: Running) -> Iterator[Attack]:
    attack = Attack(target)
    try:
        yield attack
    finally:
        attack.close()


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    with running(tmp_path_factory.mktemp("hostile")) as target, attacking(target) as made:
        yield made


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_hostile_input_gets_its_status_and_harms_nobody(attack: Attack, row: Row) -> None:
    logged = attack.expect(row)
    assert max(map(len, logged.split("\n"))) < 2000, "a peer does not decide how long a line is"


def chitty(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "chitty", "-C", str(folder), *arguments],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )


def test_after_all_of_it_the_logs_are_whole_and_valid(tmp_path: Path) -> None:
    """Play the whole table at one server, with a witness, and judge what everybody wrote."""
    with running(tmp_path) as target:
        witness = target.participant("walter")
        with attacking(target) as attack:
            for row in ROWS:
                attack.expect(row)
            joined, said = (sum(row.accepted for row in ROWS if row.method == method) for method in ("Join", "Publish"))
            delivered = 1 + 3 + 2 + 1 + 2 * joined + said  # walter; trudy; mallory, who spoke; victor; the table
            eventually(lambda: target.log_of("walter").count(" deliver ") == delivered)
        eventually(lambda: "participant=victor reason=lost" in target.log_of("walter"))
        witness.terminate()
        assert witness.wait(PATIENCE) == 0
        target.stop()

        for name in ("server", "walter"):
            check_lines(target.log_of(name))
        steps = [record.event for record in target.events()]
        assert steps.count("broadcast") == delivered + 3, "mallory, victor and walter left"
        assert [record.fields["n"] for record in target.events()] == list(range(1, len(steps) + 1))
        assert check(target.folder).judgement is Judgement.VALID

        shown = chitty(target.folder, "logs")
        assert shown.returncode == 0, shown.stderr
        assert not UNSAFE.search(shown.stdout.decode())
        assert not UNSAFE.search(chitty(target.folder, "--color", "never", "logs", "walter").stdout.decode())
        told = chitty(target.folder, "logs", "--json").stdout.decode()
        assert not UNSAFE.search(told)
        assert all(isinstance(json.loads(line), dict) for line in told.splitlines())
        assert chitty(target.folder, "check").returncode == 0
