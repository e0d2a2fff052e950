"""Whatever comes from outside is read, or refused in words: no other error, and no answer of another kind.

`bin/test tests/test_fuzz.py --hypothesis-profile=thorough --timeout=0` looks for much longer.
"""

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chitty import journal, resources, settings
from chitty.core.errors import ChittyError, InvalidArgument, Refusal, SettingsError, StorageFailed
from chitty.core.event import Limits
from chitty.core.hub import Hub
from chitty.core.names import normalise
from chitty.sequencer import codec
from chitty.server import snapshots
from chitty.trace.check import check
from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity
from chitty.wire.parse import parse
from tests.core.replaying import some_commands
from tests.server import hostile
from tests.services import METHOD, blocking, serving
from tests.waiting import PATIENCE

VALID = Path(__file__).parent / "histories/valid"
LOGS = {path.name: path.read_text(encoding="utf-8") for path in VALID.glob("*.log")}
LINES = sorted({line for text in LOGS.values() for line in text.split("\n")})


@st.composite
def damaged(draw: st.DrawFn, wholes: st.SearchStrategy[Any], damage: st.SearchStrategy[Any]) -> Any:
    """Draw something whole, and put something else in place of a part of it."""
    whole = draw(wholes)
    begin, end = sorted((draw(st.integers(0, len(whole))), draw(st.integers(0, len(whole)))))
    return whole[:begin] + draw(damage) + whole[end:]


# Lines.

awkward = st.text('0123456789-:.TZ=" \\nuINFOalicehub\t\x1b\u0661\u2028\x00', max_size=20) | st.text(max_size=10)
numbers = st.sampled_from(["9" * 5000, "-1", "1e9", "0x10", "\u0661", "1_000", "", "2" * 19])


@given(damaged(st.sampled_from(LINES), awkward | numbers))
@example("2026-11-23T03:11:50.123456Z INFO alice send lamport=" + "9" * 5000 + ' n=1 op=publish id=a.1 text="x"')
def test_any_line_is_an_event_prose_or_not_believed(line: str) -> None:
    record, quick = journal.parse(line), journal.entry(line)
    assert record is None or isinstance(record, journal.Record)
    if quick is not None:
        fields = journal.fields(quick[3], quick[6])
        assert (record is None) == (fields is None)


@given(st.sampled_from(sorted(LOGS)), st.data())
def test_any_log_is_judged(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("logs")
    for other, text in LOGS.items():
        (folder / other).write_text(text, encoding="utf-8")
    whole = LOGS[name].encode()
    log = data.draw(damaged(st.just(whole), st.binary(max_size=40) | (awkward | numbers).map(str.encode)))
    (folder / name).write_bytes(log)
    assert check(folder).judgement is not None


# Names.


@given(st.text(max_size=200) | st.text("e\u0301\u0323\u1100\u1161\u11a8\ufb03\u03c9", max_size=300))
def test_any_name_is_accepted_or_refused_in_one_printable_line(name: str) -> None:
    try:
        accepted = normalise(name)
    except InvalidArgument as refused:
        text = str(refused)
        assert text.isprintable()
        assert len(text) < 600
    else:
        assert len(accepted) <= 32


# Requests.

REQUESTS = {
    "Join": pb.JoinRequest,
    "Publish": pb.PublishRequest,
    "Leave": pb.LeaveRequest,
    "ListParticipants": pb.ListParticipantsRequest,
}

some_number = st.sampled_from([0, 1, 2, 127, 128, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(
    0, 2**64 - 1
)
some_field = st.integers(1, 6) | st.sampled_from([15, 16, 99, 2**29 - 1])
some_text = st.sampled_from([b"eve", "\u00e9ve".encode(), b"\xff", b"", b"\x1b[2J", b"server"]) | st.binary(max_size=20)
leaf = (
    st.builds(hostile.scalar, some_field, some_number)
    | st.builds(hostile.some_bytes, some_field, some_text)
    | st.builds(hostile.fixed32, some_field)
    | st.builds(hostile.fixed64, some_field)
)
message = st.recursive(
    st.lists(leaf, max_size=6).map(b"".join),
    lambda inner: st.lists(
        leaf | st.builds(hostile.some_bytes, some_field, inner) | st.builds(hostile.group, some_field, inner),
        max_size=5,
    ).map(b"".join),
    max_leaves=12,
)
some_request = (
    message
    | damaged(message, st.binary(max_size=4))
    | damaged(st.just(hostile.join("ev\u00e9", 300, 70_000)), st.binary(max_size=3))
    | damaged(st.just(hostile.publish(hostile.message(300), hostile.message(301))), st.binary(max_size=3))
    | st.binary(max_size=60)
)


@given(st.sampled_from(sorted(REQUESTS)), some_request)
def test_any_bytes_are_a_request_or_an_invalid_argument(method: str, data: bytes) -> None:
    kind = REQUESTS[method]
    try:
        read = parse(kind, data)
    except Refusal as refused:
        status, text = refused.status, str(refused)
        assert (status, text.isprintable()) == ("INVALID_ARGUMENT", True)
    else:
        assert isinstance(read, kind)


class Served:
    """A service in a thread of its own, and a member of it."""

    def __init__(self, address: str) -> None:
        self.channel = blocking(address)
        self.member = identity.credentials(identity.new_session())
        self.stream = self.channel.unary_stream(METHOD + "Join")(hostile.join("mallory"), metadata=self.member)
        next(self.stream)

    def ask(self, method: str, data: bytes, metadata: hostile.Metadata) -> str:
        call = self.channel.stream_stream(METHOD + method)(iter([data]), metadata=metadata, timeout=PATIENCE)
        try:
            if method == "Join":
                next(call)
                call.cancel()
            else:
                list(call)
        except grpc.RpcError as error:
            return error.code().name
        return "OK"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    begun: list[str] = []
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serving() as service:
            begun.append(service.address)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(PATIENCE)
    made = Served(begun[0])
    yield made
    made.channel.close()
    loop.call_soon_threadsafe(over.set)
    thread.join(PATIENCE)
    loop.close()


EXPECTED = {
    "OK",
    "INVALID_ARGUMENT",
    "ALREADY_EXISTS",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "FAILED_PRECONDITION",
    "RESOURCE_EXHAUSTED",
}

some_metadata = st.sampled_from(
    [(), (("authorization", "Bearer x"),), (("authorization", "Basic " + "a" * 32),), (("x", "y"),)]
) | st.builds(
    lambda secret: (("authorization", f"Bearer {secret}"),), st.text("abcXYZ019-_+ ~", min_size=20, max_size=140)
)


@given(st.sampled_from(sorted(REQUESTS)), some_request, some_metadata | st.none())
def test_any_request_is_answered_with_a_status_of_the_services_own(
    served: Served, method: str, data: bytes, metadata: hostile.Metadata | None
) -> None:
    told = served.member if metadata is None else metadata
    if metadata is None and method == "Leave":
        told = identity.credentials(identity.new_session())  # mallory is to stay
    assert served.ask(method, data, told) in EXPECTED
    assert served.ask("ListParticipants", b"", ()) == "OK"


# What is stored, and what is set.

WRITTEN = [codec.encode(list(itertools.islice(some_commands(seed, 300), 8))) for seed in range(5)]


def _state(seed: int) -> bytes:
    hub = Hub(Limits(5, 3, 4))
    for command in some_commands(seed, 300):
        hub.apply(command)
    return snapshots.encode(hub.state())


STATES = [_state(seed) for seed in range(5)]
plain = st.recursive(
    st.none() | st.booleans() | some_number | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(damaged(st.sampled_from(WRITTEN), st.binary(max_size=6)) | plain.map(msgspec.msgpack.encode))
@example(b"\x92\x01" + b"\x91" * 100_000)
def test_any_bytes_are_commands_or_a_damaged_log(data: bytes) -> None:
    try:
        assert isinstance(codec.decode(data), tuple)
    except StorageFailed as refused:
        assert "log has" in str(refused)  # noqa: PT017 - other errors fail the test


@given(
    damaged(st.sampled_from(STATES), st.binary(max_size=6))
    | st.tuples(st.integers(0, 2), plain).map(msgspec.msgpack.encode)
    | st.fixed_dictionaries(
        dict.fromkeys(("limits", "time", "sequence", "members", "joins", "ledgers", "departed"), plain)
    ).map(lambda state: msgspec.msgpack.encode((1, {**state, "limits": {}})))
)
@example(b"\x92\x01\x81\xa1a" + b"\x91" * 100_000)
def test_any_bytes_are_a_state_or_a_damaged_snapshot(data: bytes) -> None:
    try:
        snapshots.decode(data)
    except StorageFailed as refused:
        assert "snapshot" in str(refused)  # noqa: PT017 - other errors fail the test


DEFAULT = resources.path("conf/chitty.yaml").read_text(encoding="utf-8")
SERVER = settings.encode(settings.load(DEFAULT, "default").server)


@given(
    damaged(
        st.just(DEFAULT), st.text(max_size=5) | st.sampled_from(["&a ", "*a", "!!int ", "{", "[", "? ", "<<: ", "|"])
    )
)
def test_any_change_of_the_default_settings_is_settings_or_an_error_of_one_line(text: str) -> None:
    try:
        settings.load(text, "my.yaml", DEFAULT)
    except SettingsError as refused:
        assert "\n" not in str(refused).strip()  # noqa: PT017 - other errors fail the test


@st.composite
def changed(draw: st.DrawFn) -> str:
    """Draw what a server is told, with one value in it replaced."""
    told = json.loads(SERVER)
    section = told
    while True:
        key = draw(st.sampled_from(sorted(section)))
        if not isinstance(section[key], dict) or draw(st.booleans()):
            section[key] = draw(plain.filter(_is_json))
            return json.dumps(told)
        section = section[key]


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


@given(changed() | damaged(st.just(SERVER), st.text(max_size=5)))
@example("[" * 100_000)
def test_what_a_server_is_told_is_settings_or_an_error(text: str) -> None:
    try:
        settings.decode(text, settings.Server, "server.json")
    except ChittyError as refused:
        assert isinstance(refused, SettingsError)  # noqa: PT017
