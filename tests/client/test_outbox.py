"""What becomes of messages whose request was refused, by an outbox alone."""

import logging

import pytest

from chitty import InvalidArgument, LimitExceeded, NotPermitted, Unacknowledged
from chitty.client.outbox import Outbox
from chitty.core.participant import Participant
from chitty.output import Journal


@pytest.fixture
def outbox(caplog):
    caplog.set_level(logging.INFO)
    made = Outbox(Participant("0123", "alice"), Journal("alice"), 30.0)
    yield made
    made.close(Unacknowledged("the test has ended"))


@pytest.mark.parametrize("refusal", [NotPermitted("no more"), LimitExceeded("tomorrow", retry_after=86_400.0)])
async def test_a_refused_repeat_says_nothing_of_the_first_time(outbox, caplog, refusal):
    said = outbox.say("hello")
    assert outbox.gather() == outbox.gather(), "the connection broke in between"
    assert outbox.refused(refusal)
    assert isinstance(said.exception(), Unacknowledged)
    assert str(refusal) in str(said.exception())
    assert "refused" not in [str(record.msg).split()[0] for record in caplog.records]


async def test_what_is_refused_the_first_time_is_refused(outbox, caplog):
    said = outbox.say("hello")
    outbox.gather()
    assert outbox.refused(NotPermitted("no more"))
    assert isinstance(said.exception(), NotPermitted)
    assert "refused" in [str(record.msg).split()[0] for record in caplog.records]


async def test_a_message_at_fault_is_refused_even_when_it_is_repeated(outbox):
    said = [outbox.say("hello"), outbox.say("x" * 129)]
    outbox.gather()
    outbox.gather()
    assert outbox.refused(InvalidArgument("129 characters", field="messages[1].text"))
    assert isinstance(said[1].exception(), InvalidArgument)
    assert not said[0].done()


async def test_parts_of_a_request_that_was_too_large_are_no_repeats(outbox):
    said = [outbox.say("hello"), outbox.say("again")]
    outbox.gather()
    assert outbox.refused(LimitExceeded("1 message in a request at most"))
    assert len(outbox.gather()) == 1
    assert outbox.refused(NotPermitted("no more"))
    assert isinstance(said[0].exception(), NotPermitted)
