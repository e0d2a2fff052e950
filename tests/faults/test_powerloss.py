"""The machine loses its power: what was written and not synced may be gone, or there in part."""

import contextlib
import dataclasses
import random
import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest

from chitty.core.hub import Hub
from chitty.sequencer import codec
from tests.faults import powerloss, tally
from tests.faults.ground import Ground, assert_valid
from tests.waiting import PATIENCE

pytestmark = [
    pytest.mark.skipif(powerloss.COMPILER is None, reason="there is no C compiler to make powerloss.c with"),
]

BOTS = {"bob", "carol", "dave"}


class Machine:
    """A machine that a Ground's server runs on, as far as its database is concerned.

    Attributes:
        database: where the server has it.
    """

    def __init__(self, one: Ground, library: Path) -> None:
        self.ground = one
        self._library = library
        self.database = one.folder / "chitty.db"
        self._journal = one.folder / "journal"
        self._boot = one.folder / "boot_id"
        self._before: dict[int, bytes] = {}
        self.boot()

    def boot(self) -> None:
        """Start the machine anew, over what is on its disk."""
        self._boot.write_text(f"{uuid4()}\n")
        self._journal.unlink(missing_ok=True)
        self._before = powerloss.files_of(self.database)

    def start(self) -> str:
        return self.ground.start(
            LD_PRELOAD=str(self._library),
            POWERLOSS_FILE=str(self.database),
            POWERLOSS_JOURNAL=str(self._journal),
            POWERLOSS_BOOT=str(self._boot),
        )

    def entries(self) -> list[powerloss.Entry]:
        return powerloss.read(self._journal)

    def files(self, entries: list[powerloss.Entry], keep: powerloss.Keep) -> dict[int, bytes]:
        return powerloss.rebuild(self._before, entries, keep)

    def lose_power(self, keep: powerloss.Keep) -> None:
        """Kill the server, lose what was not synced, and start the machine anew."""
        self.ground.kill()
        powerloss.put(self.files(self.entries(), keep), self.database)
        self.boot()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return powerloss.compile_library(tmp_path_factory.mktemp("powerloss"))


@pytest.fixture
def machine(ground, library):
    def make(synchronous: str, **changes: object) -> Machine:
        settings = {"database__snapshot_every": 200, "grace": 600.0, "database__synchronous": synchronous, **changes}
        one = ground()
        one.configure(database__path=str(one.folder / "chitty.db"), **settings)
        return Machine(one, library)

    return make


def play(one: Machine, times: int, chance: random.Random) -> tally.Tally:
    """Lose the power under load again and again; return what was counted."""
    ground = one.ground
    one.start()
    ground.gather(BOTS, rate=100)
    for turn in range(times):
        ground.await_acks(60)
        one.lose_power([powerloss.nothing, powerloss.some_of(chance), powerloss.first_of(chance)][turn % 3])
        one.start()
    ground.await_acks(60)
    ground.settle(BOTS)
    ground.end()
    return tally.tally(ground.folder, BOTS)


def test_at_full_a_power_loss_takes_nothing_that_was_acknowledged(machine, record, long):
    times, one = 30 if long else 3, machine("full")
    counts = play(one, times, random.Random(4))
    assert counts.clean, counts.notes
    assert counts.open == 0
    assert len({start.fields["epoch"] for start in one.ground.events("server", "start")}) == 1
    assert_valid(one.ground.folder)
    record("power loss, synchronous=full", times, counts)


@pytest.mark.parametrize("synchronous", ["normal", "off"])
def test_below_full_a_power_loss_begins_a_new_order(machine, record, long, synchronous):
    times, one = 30 if long else 3, machine(synchronous)
    if synchronous == "off":
        times = 1  # it promises nothing: SQLite may find its database damaged
    counts = play(one, times, random.Random(4))
    # What was acknowledged and had not been delivered yet may be lost: it is counted below.
    assert (counts.duplicated, counts.reordered) == (0, 0), counts.notes
    starts = [start.fields["epoch"] for start in one.ground.events("server", "start")]
    assert len(set(starts)) == times + 1, "what was lost nobody can tell: no sequence may mean two events"
    assert one.ground.log("server").read_text().count("a new order begins") == times
    assert_valid(one.ground.folder)
    record(
        f"power loss, synchronous={synchronous}",
        times,
        dataclasses.replace(counts, lost=unheard(one.ground)),
        note=f"a new order each time; {counts.open} senders were told that nobody can tell what became of a message",
    )


def unheard(ground: Ground) -> int:
    """Return how many messages with a receipt did not reach everybody who was there, and never will."""
    records = tally.read(ground.folder)
    heard = [{(note["epoch"], note["text"]) for note in notes if "heard" in note} for notes in records.values()]
    acked = [(note["epoch"], note["acked"]) for notes in records.values() for note in notes if "acked" in note]
    return sum(any(message not in ear for ear in heard) for message in acked)


def test_at_normal_a_crash_of_the_server_alone_begins_no_new_order(machine):
    one = machine("normal")
    ground = one.ground
    one.start()
    ground.gather(BOTS, rate=100)
    ground.await_acks(60)
    ground.kill()
    one.start()
    ground.await_acks(60)
    ground.settle(BOTS)
    ground.end()
    one.boot()  # after an end in good order a new start of the machine is nothing to worry about
    one.start()
    ground.server.terminate()
    ground.server.wait(PATIENCE)
    counts = tally.tally(ground.folder, BOTS)
    assert counts.clean, counts.notes
    assert len({start.fields["epoch"] for start in ground.events("server", "start")}) == 1
    assert_valid(ground.folder)


def test_lines_that_a_power_loss_took_from_the_hubs_log_are_written_again(machine):
    one = machine("full", database__snapshot_every=1_000_000)
    ground = one.ground
    one.start()
    ground.gather(BOTS, rate=100)
    ground.await_acks(100)
    one.lose_power(powerloss.nothing)
    log = ground.log("server")
    data = log.read_bytes()
    log.write_bytes(data[: data.rindex(b" broadcast ") - 40 - len(data) // 4])
    one.start()
    ground.await_acks(30)
    ground.settle(BOTS)
    ground.end()
    assert_valid(ground.folder)


def read_back(database: Path) -> dict[int, str]:
    """Return the texts of all events in the log of a database by their sequence; it lost the power, or begins."""
    hub, found = Hub(), {}
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for (batch,) in connection.execute("SELECT commands FROM log ORDER BY position"):
            for command in codec.decode(batch):
                found.update({event.sequence: event.text for event in hub.apply(command).events})
    return found


class Life:
    """One life of a server under load, to its kill: what was done to its files, and what others knew when."""

    def __init__(self, one: Machine, folder: Path, messages: int) -> None:
        self._machine = one
        self._database = folder / "chitty.db"
        folder.mkdir()
        one.start()
        for name in BOTS:
            one.ground.participant(name, rate=200)
        one.ground.await_acks(messages)
        one.ground.kill()
        self.entries = one.entries()
        self.notes = [note for notes in tally.read(one.ground.folder).values() for note in notes]

    def count(self, kind: str) -> int:
        return sum(kind in note for note in self.notes)

    def lost(self, moment: int, keep: powerloss.Keep) -> int:
        """Return how many events others had heard of, or had a receipt of, that a power loss then would take."""
        known = [note for note in self.notes if note["at"] < self.entries[moment].at]
        powerloss.put(self._machine.files(self.entries[:moment], keep), self._database)
        try:
            log = read_back(self._database)
        except sqlite3.OperationalError:
            log = {}  # it was being made: there must have been nothing to lose
        lost = sum(log.get(note["seq"]) != note["acked"] for note in known if "acked" in note)
        return lost + sum(log.get(note["heard"]) != note["text"] for note in known if "heard" in note)


def test_whenever_the_power_is_lost_what_was_acknowledged_until_then_is_in_the_log(machine, tmp_path, record, long):
    moments, chance = 600 if long else 60, random.Random(4)
    life = Life(machine("full"), tmp_path / "left", 1500 if long else 300)
    kept = [powerloss.nothing, powerloss.some_of(chance), powerloss.first_of(chance), powerloss.everything]
    lost = sum(life.lost(chance.randrange(len(life.entries)), kept[turn % 4]) for turn in range(moments))
    assert life.count("acked")
    assert not lost
    counts = {"sent": life.count("said"), "acknowledged": life.count("acked"), "delivered": life.count("heard")}
    record(
        "power loss at any moment of one life, synchronous=full",
        moments,
        {**counts, "lost": lost, "duplicated": 0, "reordered": 0},
        note="at each moment none, all or any part of what was not synced is kept, and the log is read back",
    )


def test_below_full_there_is_something_to_lose(machine, tmp_path):
    life = Life(machine("normal"), tmp_path / "left", 100)
    assert life.lost(len(life.entries) - 1, powerloss.nothing) > 100
    assert life.lost(len(life.entries) - 1, powerloss.everything) == 0
