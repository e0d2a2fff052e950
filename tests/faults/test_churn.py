"""Many who come and go, in every way there is, all the time."""

import random
import signal
import time

from chitty.settings import Keepalive
from tests.faults import tally
from tests.faults.ground import Ground, assert_valid, memory
from tests.waiting import PATIENCE, eventually

COUNT = 50
PACE = 0.1  # seconds from one fault to the next
KEEPALIVE = Keepalive(interval=2.0, timeout=2.0)


class Churn:
    """Participants whose fate is chance."""

    def __init__(self, ground: Ground, chance: random.Random) -> None:
        self._ground = ground
        self._chance = chance
        self.faults = 0
        self.paused: set[str] = set()
        self._going: set[str] = set()
        self.names = [f"p{number}" for number in range(COUNT)]

    def start(self, name: str) -> None:
        self._ground.participant(name, rate=1.0, keepalive=KEEPALIVE)

    @property
    def alive(self) -> set[str]:
        return {name for name, one in self._ground.participants.items() if one.exitcode is None} - self._going

    def next(self) -> None:
        """Let something happen to somebody."""
        name = self._chance.choice(self.names)
        process = self._ground.participants.get(name)
        self.faults += 1
        if process is None or process.exitcode is not None:
            self._going.discard(name)
            self.start(name)
        elif name in self._going:
            self.faults -= 1
        elif name in self.paused:
            self._resume(name)
        elif self._chance.random() < 0.5:
            self._ground.signal(name, signal.SIGSTOP)
            self.paused.add(name)
        else:
            self._ground.signal(name, self._chance.choice([signal.SIGTERM, signal.SIGKILL]))
            self._going.add(name)

    def calm(self) -> None:
        """Let all who are paused go on, and wait for those who are going."""
        for name in list(self.paused):
            self._resume(name)
        for name in self._going:
            self._ground.participants[name].join(PATIENCE)

    def _resume(self, name: str) -> None:
        self._ground.signal(name, signal.SIGCONT)
        self.paused.discard(name)


def test_the_server_does_not_grow_while_participants_come_and_go(ground, record, long):
    seconds, one = 600 if long else 20, ground()
    bounds = {"window__events": 1000, "database__snapshot_every": 2000, "lag__seconds": 5.0}
    one.configure(grace=1.0, keepalive__interval=2.0, keepalive__timeout=2.0, **bounds)
    one.start()
    assert one.server is not None
    churn = Churn(one, random.Random(4))
    for name in churn.names:
        churn.start(name)
    eventually(lambda: one.joined(*churn.names))
    grown = []
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        churn.next()
        grown.append(memory(one.server.pid))
        time.sleep(PACE)  # the pace of the faults, which end when their time is over
    churn.calm()
    present = churn.alive
    eventually(lambda: one.joined(*present))
    one.settle(present)
    one.end()
    counts = tally.tally(one.folder, present)
    assert counts.clean, counts.notes
    assert_valid(one.folder)
    assert "Traceback" not in one.log("server").read_text()
    third = len(grown) // 3
    warm, last = max(grown[third : 2 * third]), max(grown[2 * third :])
    assert last < warm + 10, f"MB: {warm} after the warm-up, {last} at the end"
    gone = one.events("server", "detect")
    record(
        f"churn: {COUNT} participants join, leave, crash, pause and resume for {seconds} s",
        churn.faults,
        counts,
        note=f"{len(gone)} lost and announced; {warm:.1f} MB of memory in the second third, {last:.1f} in the last",
    )
