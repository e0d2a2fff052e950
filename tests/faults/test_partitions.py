"""The network between a participant and the service: cut, silent, slow, half there."""

import random

from chitty.settings import Keepalive
from tests.faults import tally
from tests.faults.ground import Ground, assert_valid
from tests.proxies import DOWN, UP, Threaded, proxying_apart
from tests.waiting import eventually

KEEPALIVE = Keepalive(interval=1.0, timeout=1.0)
PATIENT = Keepalive(interval=600.0, timeout=600.0)  # of those whose connections are whole, however busy they are
OTHERS = {"bob", "carol"}
EVERYBODY = {"alice", *OTHERS}


def cut(apart: Threaded) -> None:
    apart.proxy.closed = True
    apart.cut()


def silence(apart: Threaded) -> None:
    apart.proxy.dropped = {UP, DOWN}


def silence_down(apart: Threaded) -> None:
    apart.proxy.dropped = {DOWN}


def silence_up(apart: Threaded) -> None:
    apart.proxy.dropped = {UP}


def half_open(apart: Threaded) -> None:
    apart.leave_half_open()


def reset(apart: Threaded) -> None:
    apart.proxy.reset_next = True


def slow(apart: Threaded) -> None:
    apart.proxy.delay = 0.2


FAULTS = (cut, silence, silence_down, silence_up, half_open, reset, slow)


def mend(apart: Threaded) -> None:
    apart.proxy.closed, apart.proxy.dropped, apart.proxy.delay, apart.proxy.reset_next = False, set(), 0.0, False


def resumptions(ground: Ground) -> int:
    return ground.log("server").read_text().count("Join of alice repeated: goes on after")


def begin(ground: Ground, apart: Threaded) -> None:
    for name in OTHERS:
        ground.participant(name, rate=60, keepalive=PATIENT)
    ground.participant("alice", rate=60, keepalive=KEEPALIVE, server=apart.proxy.address)
    eventually(lambda: ground.joined(*EVERYBODY))


def test_one_behind_a_broken_network_misses_nothing_and_nobody_notices(ground, record, long):
    one, chance = ground(grace=60.0, keepalive__interval=1.0, keepalive__timeout=1.0), random.Random(4)
    faults = [*FAULTS] * (10 if long else 1)
    chance.shuffle(faults)
    with proxying_apart(one.start()) as apart:
        begin(one, apart)
        for fault in faults:
            one.await_acks(20)
            before = resumptions(one)
            fault(apart)
            one.await_acks(40)
            if fault not in {cut, slow}:
                eventually(lambda before=before: resumptions(one) > before or not one.joined("alice"))
            mend(apart)
            if fault is not slow:
                eventually(lambda before=before: resumptions(one) > before and one.joined("alice"))
        one.settle(EVERYBODY)
        one.end()
    counts = tally.tally(one.folder, EVERYBODY)
    assert counts.clean, counts.notes
    assert not one.events("server", "detect"), "nobody was announced as lost"
    assert len(tally.stays("alice", tally.read(one.folder)["alice"])) == 1
    assert_valid(one.folder)
    record("network cut, silent, slow, half-open, reset in a message; resumed", len(faults), counts)


def test_one_that_is_away_for_longer_than_the_grace_is_announced_as_lost_and_joins_anew(ground, record):
    one = ground(grace=0.5, keepalive__interval=1.0, keepalive__timeout=5.0)
    with proxying_apart(one.start()) as apart:
        begin(one, apart)
        for fault in (cut, silence):
            one.await_acks(20)
            before = len(one.events("server", "detect"))
            fault(apart)
            eventually(lambda before=before: len(one.events("server", "detect")) > before)
            one.await_acks(20)
            mend(apart)
            apart.cut()  # so that it need not wait for its keepalive
            eventually(lambda: one.joined("alice") and "alice" in present(one))
        one.settle(EVERYBODY)
        one.end()
    counts = tally.tally(one.folder, EVERYBODY)
    assert counts.clean, counts.notes
    gone = one.events("server", "detect")
    assert [(line.fields["participant"], line.fields["reason"]) for line in gone] == [("alice", "lost")] * 2
    assert len(tally.stays("alice", tally.read(one.folder)["alice"])) == 3
    assert_valid(one.folder)
    record("network gone for longer than the grace; announced as lost, joined anew", 2, counts)


def present(ground: Ground) -> set[str]:
    """Return who belongs, by what the hub wrote last of each."""
    here: dict[str, bool] = {}
    for line in ground.events("server", "broadcast"):
        if line.fields["op"] != "publish":
            here[line.fields["participant"]] = line.fields["op"] == "join"
    return {name for name, is_here in here.items() if is_here}
