"""The server killed with SIGKILL: under load at any moment, and at the worst moments."""

import os
import random
import signal
import statistics
import time
from pathlib import Path

import pytest

from tests.faults import tally
from tests.faults.ground import assert_valid
from tests.integration.launching import Stack
from tests.waiting import PATIENCE, eventually

BOTS = {"bob", "carol", "dave", "erin"}

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds_to_ready(pid: int, ready: Path) -> float:
    """Return how long after its start a process wrote its ready file."""
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) / _TICKS
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    return age - (time.time() - ready.stat().st_mtime)


def serves_anew(stack: Stack, pid: int) -> bool:
    return stack.pid("server") != pid and stack.status()["server"]["health"] == "SERVING"


def broadcasts(lines, *, again: bool = False) -> set[int]:
    """Return the sequences of which lines tell; of repeats, those of the first life in the lines only."""
    found = set()
    for index, line in enumerate(lines):
        if again and index and line.event == "start":
            break
        if line.event == "broadcast" and ("again" in line.fields) >= again:
            found.add(line.fields["seq"])
    return found


@pytest.fixture
def stack(tmp_path):
    made = Stack(tmp_path / "stack")
    yield made
    made.end()


def test_a_server_killed_under_load_again_and_again_loses_nothing(stack, record, long):
    times, chance = 100 if long else 5, random.Random(4)
    settings = stack.cwd / "load.yaml"
    settings.write_text("bot: {rate: 60, run: 'tests.faults.bots:talker'}\nserver: {grace: 600}\n")
    stack.up("--clients", ",".join(sorted(BOTS)), "--config", settings)
    folder, ready = stack.layout.directory, []

    def acked() -> int:
        return sum(path.read_bytes().count(b'"acked"') for path in (folder / "records").glob("*.jsonl"))

    for _ in range(times):
        # Before it has run for a second supervisord would count a crash as a failed start.
        eventually(lambda: stack.status()["server"]["state"] == "RUNNING")
        goal = acked() + 20
        eventually(lambda goal=goal: acked() >= goal, progress=acked)
        time.sleep(chance.random() * 0.2)  # the moment of the fault, which is by chance
        pid = stack.pid("server")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: serves_anew(stack, pid))
        ready.append(seconds_to_ready(stack.pid("server"), stack.layout.ready / "server"))
    (folder / "quiet").touch()
    eventually(lambda: tally.settled(folder, BOTS), progress=lambda: tally.size(folder))
    stack.run("down")
    counts = tally.tally(folder, BOTS)
    assert counts.clean, counts.notes
    assert counts.acknowledged > 20 * times
    assert stack.run("check").count("violated") == 0
    assert_valid(folder)
    assert sum(one.event == "start" for one in stack.records("server")) == times + 1
    assert not [one for one in stack.records("server") if one.event == "detect"], "nobody was away for too long"
    record(
        "kill -9 of the server under load",
        times,
        counts,
        note=f"ready {statistics.median(ready):.2f} s after its start, at most {max(ready):.2f} s",
    )


def test_a_server_killed_between_any_two_of_its_steps_goes_on_where_it_was(ground, record, long):
    rounds, chance = 12 if long else 2, random.Random(4)
    one = ground()
    one.start()
    one.gather(BOTS, rate=100)
    one.await_acks(10)
    one.kill()
    crashes = []
    for _ in range(rounds):
        for point in ("commit", "log", "broadcast"):
            # By its tenth batch all have resumed, and what is committed is messages.
            server = one.spawn(CHITTY_CRASH_AT=f"{point}:{chance.randint(10, 40)}")
            assert server.wait(PATIENCE) == -signal.SIGKILL, "it came to the point"
            crashes.append((point, len(one.lines("server"))))
    one.start()
    one.settle(BOTS)
    one.end()
    lines = one.lines("server")
    for point, end in crashes:
        written, again = broadcasts(lines[:end]), broadcasts(lines[end:], again=True)
        if point == "commit":
            assert again - written, "what was committed and not written about is written about now"
        else:
            assert again & written, "what may not have been written is repeated, and says so"
    counts = tally.tally(one.folder, BOTS)
    assert counts.clean, counts.notes
    assert_valid(one.folder)
    again = sum("again" in line.fields for line in lines)
    assert again
    record(
        "kill -9 between commit, log lines, broadcast and receipts",
        3 * rounds,
        counts,
        note=f"{again} lines of the hub written again",
    )
