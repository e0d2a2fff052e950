"""Commands as bytes: whatever they are, they come back; whatever the bytes are, there is no other error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty.core.errors import StorageFailed
from chitty.core.event import Configure, Detect, Join, Leave, Limits, Message, Publish, Reason
from chitty.core.hub import Hub
from chitty.sequencer import codec
from chitty.server import snapshots
from tests.core.replaying import some_commands

numbers = st.integers(0, 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
walls = st.floats(0, 2e9)
commands = st.one_of(
    st.builds(Join, texts, texts, texts, numbers, numbers, walls),
    st.builds(Leave, texts, numbers, numbers, walls),
    st.builds(Detect, texts, numbers, numbers, st.sampled_from(Reason), walls),
    st.builds(Publish, texts, st.lists(st.builds(Message, numbers, numbers, texts)).map(tuple), walls),
    st.builds(Configure, st.builds(Limits, numbers, numbers, numbers, numbers), walls),
)


@given(st.lists(commands))
def test_commands_come_back(batch) -> None:
    assert codec.decode(codec.encode(batch)) == tuple(batch)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_commands_are_refused(data: bytes) -> None:
    try:
        codec.decode(data)
    except StorageFailed as error:
        assert "log has" in str(error)  # noqa: PT017 - other errors fail the test


@pytest.mark.parametrize("seed", range(20))
def test_a_state_comes_back_from_a_snapshot(seed: int) -> None:
    hub = Hub(Limits(5, 3, 4))
    for command in some_commands(seed, 300):
        hub.apply(command)
        if seed == 0:
            assert snapshots.decode(snapshots.encode(hub.state())) == hub.state()
    state = snapshots.decode(snapshots.encode(hub.state()))
    assert state == hub.state()
    other = Hub.restore(state)
    for command in some_commands(seed + 1000, 300):
        assert hub.apply(command).events == other.apply(command).events


@given(st.binary(max_size=60))
def test_bytes_that_are_no_state_are_refused(data: bytes) -> None:
    with pytest.raises(StorageFailed, match="snapshot"):
        snapshots.decode(data)
