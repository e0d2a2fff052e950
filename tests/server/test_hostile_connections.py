"""What is no gRPC, no HTTP/2, or no use: raw bytes, half-open connections, floods.

Real peers are served all the while.
"""

import asyncio
import contextlib
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import chitty
from chitty.trace.check import check
from chitty.trace.verdict import Judgement
from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity
from tests.refusals import refused
from tests.running import Running, check_lines, running
from tests.server.hostile import GOOD, join
from tests.services import METHOD, Peer, events
from tests.waiting import PATIENCE, eventually, eventually_async

HANDSHAKE = 2.0
"""Seconds: enough for those who are served, however busy the machine is."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("connections"), limits__handshake=HANDSHAKE) as made:
        yield made


@pytest.fixture(autouse=True)
def lines(target: Running) -> Iterator[None]:
    """See after each test that what it made the server write is whole and tells of no failure."""
    before = len(target.log_of("server"))
    yield
    assert target.server.poll() is None
    check_lines(target.log_of("server")[before:])


@contextlib.asynccontextmanager
async def peer(address: str) -> AsyncIterator[Peer]:
    made = Peer(address)
    try:
        yield made
    finally:
        await made.channel.close()


async def is_served(target: Running, name: str = "alice") -> None:
    """Be a real participant, from its join to its leave."""
    async with asyncio.timeout(PATIENCE), chitty.join(name, target.address) as me:
        assert (await me.publish("hello")).sequence
    async with peer(target.address) as other:
        answer = await other.stub.ListParticipants(pb.ListParticipantsRequest())
        assert name not in [one.name for one in answer.participants]


# HTTP/2, by hand (RFC 9113).

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK, PADDED = 1, 4, 1, 8


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def header(name: str, value: str) -> bytes:
    """Return a header field as HPACK has it, literally and not indexed (RFC 7541, 6.2.2)."""
    return b"\x00" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, size = len(data) - 127, b"\x7f"
    while rest > 127:
        size, rest = size + bytes([rest & 127 | 128]), rest >> 7
    return size + bytes([rest]) + data


CALL = {
    ":method": "POST",
    ":scheme": "http",
    ":path": METHOD + "Join",
    ":authority": "localhost",
    "te": "trailers",
    "content-type": "application/grpc",
    "authorization": f"Bearer {GOOD}",
}

OPEN = PREFACE + frame(SETTINGS)


def headers(stream: int = 1, flags: int = END_HEADERS, **changes: str | None) -> bytes:
    said = {**CALL, **{key.replace("__", ":").replace("_", "-"): value for key, value in changes.items()}}
    fields = b"".join(header(name, value) for name, value in said.items() if value is not None)
    return frame(HEADERS, flags, stream, fields)


def body(data: bytes, compressed: int = 0, length: int | None = None) -> bytes:
    """Return a message as gRPC frames it."""
    return bytes([compressed]) + (len(data) if length is None else length).to_bytes(4, "big") + data


def sent(data: bytes, flags: int = END_STREAM, stream: int = 1) -> bytes:
    return frame(DATA, flags, stream, data)


BAD_JOIN = join("not a name")  # refused by the service: whoever gets as far as that is answered

GARBAGE = {
    "nothing": b"",
    "a byte": b"P",
    "half of the preface": PREFACE[:10],
    "NUL bytes": bytes(4096),
    "0xff bytes": b"\xff" * 4096,
    "text": b"hello, is this the chat?\r\n" * 100,
    "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/1.1 with an upgrade": (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    ),
    "a request for a proxy": b"CONNECT localhost:22 HTTP/1.1\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "Redis": b"*1\r\n$4\r\nINFO\r\n",
    "the preface and text": PREFACE + b"hello" * 100,
    "a frame of 16 MB": OPEN + frame(DATA, 0, 1, b"x", length=2**24 - 1),
    "settings of 3 bytes": PREFACE + frame(SETTINGS, payload=b"abc"),
    "settings of a stream": PREFACE + frame(SETTINGS, stream=3),
    "impossible settings": PREFACE + frame(SETTINGS, payload=b"\x00\x04\xff\xff\xff\xff"),
    "10,000 settings": OPEN + frame(SETTINGS, payload=b"\x00\x03\x00\x00\x00\x01") * 10_000,
    "10,000 pings": OPEN + frame(PING, payload=bytes(8)) * 10_000,
    "a ping of 7 bytes": OPEN + frame(PING, payload=bytes(7)),
    "data of no stream": OPEN + frame(DATA, 0, 0, b"x"),
    "data of a stream that is not open": OPEN + sent(b"x"),
    "headers of stream 0": OPEN + headers(0),
    "headers of an even stream": OPEN + headers(2),
    "a lower stream": OPEN + headers(7) + headers(3),
    "bad HPACK": OPEN + frame(HEADERS, END_HEADERS, 1, b"\xff" * 200),
    "an index beyond the table": OPEN + frame(HEADERS, END_HEADERS, 1, b"\xfe"),
    "a table of 4 GB": OPEN + frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\xff\xff\x0f"),
    "headers without an end": OPEN + headers(flags=0),
    "10,000 continuations": OPEN + headers(flags=0) + frame(CONTINUATION, 0, 1, header("x", "y" * 50)) * 10_000,
    "a continuation of nothing": OPEN + frame(CONTINUATION, END_HEADERS, 1, b""),
    "a push": OPEN + frame(PUSH, END_HEADERS, 1, bytes(8)),
    "a window of 0": OPEN + frame(WINDOW, payload=bytes(4)),
    "a window beyond 2^31": OPEN + frame(WINDOW, payload=b"\x7f\xff\xff\xff") * 3,
    "a reset of no stream": OPEN + frame(RST_STREAM, payload=bytes(4)),
    "a goodbye": OPEN + frame(GOAWAY, payload=bytes(8)),
    "unknown frames": OPEN + frame(0xEE, 0xFF, 5, b"junk") * 1000,
    "a stream that depends on itself": OPEN + frame(PRIORITY, 0, 1, b"\x00\x00\x00\x01\x00"),
    "more padding than data": OPEN + headers() + frame(DATA, PADDED | END_STREAM, 1, b"\xff"),
    "1,000 streams, all reset": OPEN
    + b"".join(headers(stream) + frame(RST_STREAM, 0, stream, bytes(4)) for stream in range(1, 2001, 2)),
    "GET": OPEN + headers(__method="GET") + sent(body(BAD_JOIN)),
    "no method": OPEN + headers(__method=None) + sent(body(BAD_JOIN)),
    "no path": OPEN + headers(__path=None) + sent(body(BAD_JOIN)),
    "a path of NUL": OPEN + headers(__path="/\0") + sent(body(BAD_JOIN)),
    "a path with a newline": OPEN + headers(__path="/a\r\nb: c") + sent(body(BAD_JOIN)),
    "another content type": OPEN + headers(content_type="text/html") + sent(body(BAD_JOIN)),
    "no content type": OPEN + headers(content_type=None) + sent(body(BAD_JOIN)),
    "no trailers": OPEN + headers(te=None) + sent(body(BAD_JOIN)),
    "a session with ESC": OPEN + headers(authorization="Bearer \x1b[2J" + "a" * 22) + sent(body(BAD_JOIN)),
    "a session with a newline": OPEN + headers(authorization="Bearer a\n" + "a" * 22) + sent(body(BAD_JOIN)),
    "a session that is not ASCII": OPEN + headers(authorization="Bearer é" + "a" * 22) + sent(body(BAD_JOIN)),
    "an unknown compression": OPEN + headers(grpc_encoding="zstd") + sent(body(BAD_JOIN, 1)),
    "compression of none": OPEN + headers() + sent(body(BAD_JOIN, 1)),
    "gzip that is none": OPEN + headers(grpc_encoding="gzip") + sent(body(BAD_JOIN, 1)),
    "a flag of 255": OPEN + headers() + sent(body(BAD_JOIN, 255)),
    "a message of 4 GB": OPEN + headers() + sent(body(BAD_JOIN, length=2**32 - 1), flags=0),
    "a message longer than it is": OPEN + headers() + sent(body(BAD_JOIN, length=100)),
    "a message shorter than it is": OPEN + headers() + sent(body(BAD_JOIN, length=3)),
    "a message a byte at a time": OPEN + headers() + b"".join(sent(bytes([byte]), 0) for byte in body(BAD_JOIN)),
    "no message": OPEN + headers() + sent(b""),
    "a timeout of nothing": OPEN + headers(grpc_timeout="0n") + sent(body(BAD_JOIN)),
    "a timeout that is none": OPEN + headers(grpc_timeout="soon") + sent(body(BAD_JOIN)),
}


def is_over(connection: socket.socket) -> bool:
    """Read until the other side ends the connection; tell whether it does."""
    connection.settimeout(PATIENCE)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_what_is_no_call_harms_nobody(target, garbage):
    with socket.create_connection(("127.0.0.1", target.port)) as connection:
        with contextlib.suppress(OSError):  # it may be cut off while we speak
            connection.sendall(garbage)
        await is_served(target)


async def test_those_that_do_not_say_what_they_want_are_cut_off(target):
    with contextlib.ExitStack() as stack:
        connections = {}
        for name, garbage in GARBAGE.items():
            if not garbage.startswith(PREFACE):
                connections[name] = stack.enter_context(socket.create_connection(("127.0.0.1", target.port)))
                with contextlib.suppress(OSError):
                    connections[name].sendall(garbage)
        assert len(connections) > 5
        for name, connection in connections.items():
            assert is_over(connection), name


async def test_tls_is_no_greeting(target):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", target.port), timeout=PATIENCE) as connection, pytest.raises(OSError):
        context.wrap_socket(connection)
    await is_served(target)


# Many.


async def test_thousands_of_half_open_connections_take_no_place_for_long(target):
    before = target.descriptors()
    sockets = []
    try:
        for index in range(3000):
            sockets.append(one := socket.socket())
            one.setblocking(False)  # noqa: FBT003 - socket's own
            with contextlib.suppress(BlockingIOError):
                one.connect(("127.0.0.1", target.port))
            if index % 500 == 0:
                await is_served(target)
        await eventually_async(lambda: target.descriptors() > before + 1000 or target.descriptors() == before)
        await is_served(target)
        await eventually_async(lambda: target.descriptors() <= before)
    finally:
        for one in sockets:
            one.close()
    await is_served(target)


async def test_when_descriptors_run_out_those_who_are_in_are_served_and_others_when_there_are_some(tmp_path):
    with running(tmp_path, limits__handshake=HANDSHAKE) as target:
        resource.prlimit(target.server.pid, resource.RLIMIT_NOFILE, (128, 128))
        async with chitty.join("alice", target.address) as alice:
            sockets = []
            for _ in range(300):
                sockets.append(one := socket.socket())
                one.setblocking(False)  # noqa: FBT003
                with contextlib.suppress(BlockingIOError):
                    one.connect(("127.0.0.1", target.port))
            await eventually_async(lambda: target.descriptors() >= 127)
            await asyncio.wait_for(alice.publish("I am in"), PATIENCE)
            for one in sockets:
                one.close()
            async with asyncio.timeout(PATIENCE), chitty.join("bob", target.address) as bob:
                await bob.publish("and so am I")
        target.stop()
        assert "Traceback" not in target.log_of("server")


def test_the_server_takes_as_many_descriptors_as_it_may(tmp_path):
    with running(tmp_path, files=200) as target:
        limits = Path(f"/proc/{target.server.pid}/limits").read_text(encoding="utf-8")
        soft, hard = limits.partition("Max open files")[2].split()[:2]
        assert soft == hard != "200"


async def test_joins_that_are_given_up_at_once_leave_nobody_behind(target):
    async with peer(target.address) as watcher, peer(target.address) as flood:
        stream = watcher.join("watcher")
        await events(stream, 1)
        for index in range(600):
            metadata = identity.credentials(identity.new_session())
            request = pb.JoinRequest(participant=f"p{index}", number=1, lamport=1)
            call = flood.stub.Join(request, metadata=metadata)
            publishing = flood.stub.Publish(metadata=metadata)
            if index % 3 == 0:
                await asyncio.sleep(0.001)
            call.cancel()
            publishing.cancel()
        while len((await watcher.stub.ListParticipants(pb.ListParticipantsRequest())).participants) > 1:
            await asyncio.sleep(0.01)
        await watcher.leave()


async def test_many_publish_streams_of_one_session_are_refused_and_cost_nothing(target):
    async with peer(target.address) as flood:
        stream = flood.join("flood")
        await events(stream, 1)
        before = target.memory()
        kept = [flood.publishing() for _ in range(16)]
        for call in kept:
            await call.write(pb.PublishRequest(messages=[flood.message("x")]))
            await call.read()
        for _ in range(10):  # no more at once: gRPC itself cancels what it holds above a thousand calls
            calls = [flood.publishing() for _ in range(300)]
            for refusal in await asyncio.gather(*(refused(call.read()) for call in calls)):
                assert (refusal.status, refusal.retry_after) == ("RESOURCE_EXHAUSTED", 1.0)
        assert target.memory() - before < 20
        await is_served(target)
        await flood.leave()


async def test_joins_that_are_never_read_cost_little_and_delay_nobody(target):
    async with peer(target.address) as crowd, chitty.join("alice", target.address) as alice:
        sessions = [identity.credentials(identity.new_session()) for _ in range(200)]
        unread = [
            crowd.stub.Join(pb.JoinRequest(participant=f"p{index}", number=1, lamport=1), metadata=session)
            for index, session in enumerate(sessions)
        ]
        while len((await crowd.stub.ListParticipants(pb.ListParticipantsRequest())).participants) < 201:
            await asyncio.sleep(0.01)
        before = target.memory()
        for _ in range(5):
            await asyncio.wait_for(asyncio.gather(*(alice.publish("\U0001f600" * 128) for _ in range(200))), PATIENCE)
        assert target.memory() - before < 30
        for call in unread:
            call.cancel()


def test_what_was_written_meanwhile_is_valid(target):
    eventually(lambda: target.events()[-1].fields.get("members") in {0, None})
    assert check(target.folder).judgement is not Judgement.INVALID
