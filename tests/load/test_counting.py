"""What load is counted by: marked texts, tallies, and histograms of latencies."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty.core.names import check_text
from chitty.load import message
from chitty.load.histogram import Histogram
from chitty.load.tally import Account, Framed, as_bytes, as_events, as_responses
from chitty.wire import chitty_pb2 as pb


def event(text: str) -> pb.Event:
    return pb.Event(sequence=7, lamport=9, kind=pb.Event.PUBLISHED, participant="p1", text=text, cause="0123.4")


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_within_a_bucket_of_the_true_one(nanoseconds, share):
    histogram = Histogram()
    for value in nanoseconds:
        histogram.add(value)
    ordered = sorted(nanoseconds)
    true = next(value for at, value in enumerate(ordered, 1) if at >= share * len(ordered)) / 1e6
    assert histogram.quantile(share) == pytest.approx(true, rel=0.035, abs=0.0011)


@given(st.lists(st.integers(0, 10**9), max_size=50), st.lists(st.integers(0, 10**9), max_size=50))
def test_histograms_merge_and_go_through_pairs(here, there):
    one, other, both = Histogram(), Histogram(), Histogram()
    for value in here:
        one.add(value)
        both.add(value)
    for value in there:
        other.add(value)
        both.add(value)
    one.merge(Histogram(other.pairs()))
    assert one.pairs() == both.pairs()
    assert one.total == len(here) + len(there)


def test_a_text_may_be_published_and_is_dated():
    before = message.now()
    text = message.text()
    assert len(text) == len(text.encode()) == message.SIZE
    assert before <= message.newest(text.encode()) <= message.now()
    check_text(text)


def test_messages_are_counted_and_dated_in_bytes():
    first, last = message.text(), message.text()
    data = b"\x12\x07" + first.encode() + b"between" + last.encode()
    assert message.count(data) == 2
    assert message.oldest(data) == message.newest(first.encode())
    assert message.newest(data) == message.newest(last.encode())
    assert message.newest(last.encode()[:12]) == 0, "cut off within its date"
    assert message.count(b"nothing") == message.oldest(b"nothing") == 0


@pytest.mark.parametrize("take", [as_responses, as_bytes])
def test_a_response_counts_as_its_events(take):
    account = Account()
    events = [event(message.text()) for _ in range(5)]
    take(account)(pb.JoinResponse(events=events).SerializeToString())
    tally = account.close()
    assert (tally.deliveries, tally.pieces) == (5, 1)
    assert tally.latencies.total == 2 * 5
    assert account.now.deliveries == 0, "a closed tally counts no more"


def test_events_that_are_no_load_are_not_dated():
    account = Account()
    as_events(account)(event("hello").SerializeToString())
    as_responses(account)(pb.JoinResponse(epoch="0123abcd").SerializeToString())
    assert account.now.deliveries == 1
    assert account.now.latencies.total == 0


@given(st.lists(st.integers(1, 90), min_size=1, max_size=30))
def test_frames_are_counted_however_they_are_cut(cuts):
    account = Account()
    framed = Framed(account, 20)
    for length in cuts:
        framed.take(b"." * length)
    assert account.now.deliveries == sum(cuts) // 20
    assert account.now.size == sum(cuts)


def test_the_middle_of_latencies_is_their_median():
    values = [n * 1_000_000 for n in range(1, 1000)]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    assert histogram.quantile(0.5) == pytest.approx(statistics.median(values) / 1e6, rel=0.035)
