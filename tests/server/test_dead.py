"""Peers that are gone without a word: a stopped process is noticed by keepalive, a killed one at once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chitty.settings import Keepalive
from tests.running import Running, running
from tests.waiting import eventually

PATIENT = Keepalive(interval=600.0, timeout=600.0)  # of the participants: it is the server that has to notice


BRIEF = {"keepalive__interval": 1.0, "keepalive__timeout": 4.0}
"""Of the server: it soon notices who is silent, and leaves those who are only slow the time to answer."""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, grace=0.0, **BRIEF) as made:
        yield made


def lost(target: Running, name: str) -> bool:
    return f"participant={name} reason=lost" in target.log_of("walter")


@pytest.mark.parametrize(
    ("number", "keepalive"),
    [(signal.SIGSTOP, BRIEF), (signal.SIGKILL, {"keepalive__interval": 600.0})],
    ids=["stopped", "killed"],
)
def test_one_that_is_gone_without_a_word_is_announced_as_lost(tmp_path, number, keepalive):
    """One that is stopped is noticed by keepalive; one that is killed without it, by its closed connection."""
    with running(tmp_path, grace=0.0, **keepalive) as target:
        target.participant("walter", PATIENT)
        eve = target.participant("eve", PATIENT)
        eve.send_signal(number)
        eventually(lambda: lost(target, "eve"))
        assert not lost(target, "walter"), "who answers stays"
        gone = [record for record in target.events() if record.event == "detect"]
        assert [(record.fields["participant"], record.fields["reason"]) for record in gone] == [("eve", "lost")]


def test_one_that_was_stopped_for_long_joins_anew_when_it_goes_on(target):
    target.participant("walter", PATIENT)
    eve = target.participant("eve", PATIENT)
    eve.send_signal(signal.SIGSTOP)
    eventually(lambda: lost(target, "eve"))
    eve.send_signal(signal.SIGCONT)
    eventually(lambda: target.log_of("walter").count("op=join") == 3)
    assert eve.poll() is None


def test_one_that_pauses_for_less_than_that_is_not_missed(tmp_path):
    """It is stopped and goes on while others speak: nobody is told anything."""
    with running(tmp_path, grace=0.0, keepalive__interval=20.0, keepalive__timeout=10.0) as target:
        walter = target.participant("walter", PATIENT)
        eve = target.participant("eve", PATIENT)
        eve.send_signal(signal.SIGSTOP)
        for index in range(5):
            walter.stdin.write(f"message {index}\n".encode())
            walter.stdin.flush()
            eventually(lambda index=index: f"message {index}" in target.log_of("walter"))
        eve.send_signal(signal.SIGCONT)
        eventually(lambda: "message 4" in target.log_of("eve"))
        assert not lost(target, "eve")


def test_a_participant_notices_a_stopped_server_and_resumes_when_that_goes_on(tmp_path):
    with running(tmp_path, grace=600.0) as target:
        target.participant("alice", Keepalive(interval=1.0, timeout=1.0))
        target.server.send_signal(signal.SIGSTOP)
        eventually(lambda: "cannot reach the service" in target.log_of("alice"))
        target.server.send_signal(signal.SIGCONT)
        eventually(lambda: "Join of alice repeated" in target.log_of("server"))
        assert target.log_of("server").count("op=join") == 2, "one receive, one broadcast: nobody joined again"
