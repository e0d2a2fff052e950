"""What a correct run may log of a refusal although the hub accepted the message: answers that were lost.

The wrong refusals, which look alike, are among the mutants.
"""

from pathlib import Path

import pytest

from chitty.core.errors import LimitExceeded
from chitty.core.event import Kind
from chitty.trace.check import check
from chitty.trace.verdict import Judgement, Status, Verdict
from tests.trace.simulating import Peer, Run


@pytest.fixture
def run() -> Run:
    return Run(1, ["alice", "bob"])


@pytest.fixture
def alice(run: Run) -> Peer:
    return run.peers["alice"]


def inside(run: Run, *peers: Peer) -> None:
    """Let those be members who have only sent their Join."""
    for peer in peers:
        run.carry_request(peer)
        run.carry_events(peer)
        run.carry_answer(peer)


def answers_are_lost(run: Run, peer: Peer) -> None:
    """Carry what a participant has sent to the hub, and lose what comes back."""
    while peer.requests:
        run.carry_request(peer)
    peer.answers.clear()
    peer.cursor = None


def judged(run: Run, folder: Path) -> Verdict:
    run.write(folder)
    return check(folder)


def refusals(run: Run) -> list[str]:
    return [line.partition(" refused ")[2] for line in run.logs["alice"].lines if " refused " in line]


def accepted(run: Run, op: Kind, id_: str) -> bool:
    return any(
        " broadcast " in line and f" op={op} " in line and f" cause={id_} " in line for line in run.logs["hub"].lines
    )


def test_a_join_that_was_accepted_may_be_refused_for_its_name_in_the_next_epoch(run, alice, tmp_path):
    answers_are_lost(run, alice)
    run.restart_hub()
    run.take_name(alice)
    run.reconnect(alice)
    run.carry_request(alice)
    run.carry_answer(alice)
    assert "op=join" in refusals(run)[0]
    assert "status=ALREADY_EXISTS" in refusals(run)[0]
    assert accepted(run, Kind.JOINED, f"{alice.participant.incarnation}.1")
    assert judged(run, tmp_path).judgement is Judgement.VALID


def test_a_join_that_was_accepted_may_be_refused_at_the_edge_when_it_is_repeated(run, alice, tmp_path):
    answers_are_lost(run, alice)
    alice.answers.append((1, LimitExceeded("too many are connected from this address")))
    run.carry_answer(alice)
    assert "status=RESOURCE_EXHAUSTED" in refusals(run)[0]
    assert accepted(run, Kind.JOINED, f"{alice.participant.incarnation}.1")
    assert judged(run, tmp_path).judgement is Judgement.VALID


def test_a_leave_that_was_accepted_may_be_unknown_to_the_next_epoch(run, alice, tmp_path):
    inside(run, alice)
    run.leave(alice)
    answers_are_lost(run, alice)
    run.restart_hub()
    run.reconnect(alice)
    run.carry_answer(alice)
    run.end(alice)
    assert "op=leave" in refusals(run)[0]
    assert "status=UNAUTHENTICATED" in refusals(run)[0]
    assert accepted(run, Kind.LEFT, f"{alice.participant.incarnation}.2")
    assert judged(run, tmp_path).judgement is Judgement.VALID


def test_whether_a_later_epoch_refused_a_leave_is_unknown_when_the_hubs_last_lines_may_be_lost(run, alice, tmp_path):
    inside(run, alice)
    run.leave(alice)
    answers_are_lost(run, alice)
    life = list(run.logs["hub"].lines)
    run.restart_hub()
    run.reconnect(alice)
    run.carry_answer(alice)
    run.logs["hub"].lines = life
    verdict = judged(run, tmp_path)
    finding = next(finding for finding in verdict.findings if finding.id == "P4")
    assert finding.status is Status.UNKNOWN
    assert finding.missing == ["the log of the hub may lack its last lines: it has no `end`"]


def test_what_a_broken_stay_left_unaccepted_is_refused_by_its_number_and_said_anew(run, alice, tmp_path):
    inside(run, alice, run.peers["bob"])
    run.say(alice)
    alice.requests.clear()  # lost on their way
    run.lose(alice)  # the hub gives her up, and she joins anew
    run.carry_request(alice)
    alice.requests.clear()
    run.carry_answer(alice)
    inside(run, alice)
    while alice.requests:
        run.carry_request(alice)
    while alice.answers:
        run.carry_answer(alice)
    assert refusals(run)
    assert all("is not above" in refusal for refusal in refusals(run))
    run.say(alice)
    while alice.requests:
        run.carry_request(alice)
    assert judged(run, tmp_path).judgement is Judgement.VALID
