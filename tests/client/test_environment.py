"""What the environment says of proxies and authorities, and where it may not lead a participant."""

import asyncio
import logging

import grpc
import pytest

import chitty
from chitty.core.errors import InvalidArgument, SettingsError
from chitty.wire import chitty_pb2 as pb
from chitty.wire import identity, secret
from chitty.wire.chitty_pb2_grpc import ChittyChatStub
from tests.certificates import folder, tls
from tests.proxies import VARIABLES, Proxy, Recording, recording
from tests.services import own_address, serving
from tests.waiting import PATIENCE, eventually_async

SECRET = "correct-horse-battery-staple"


def set_proxy(monkeypatch: pytest.MonkeyPatch, proxy: Recording, *variables: str) -> None:
    for name in ("no_proxy", "no_grpc_proxy", *VARIABLES):
        monkeypatch.delenv(name, raising=False)
    for name, value in proxy.environment(*variables).items():
        monkeypatch.setenv(name, value)


async def joins(address: str, **credentials: object) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        chitty.join("alice", address, credentials=chitty.Credentials(**credentials)) as me,
    ):
        await me.publish("hello")
        assert await me.participants() == ["alice"]


@pytest.mark.parametrize("variable", VARIABLES)
async def test_grpc_by_itself_sends_a_secret_on_the_loopback_through_a_proxy(variable, monkeypatch):
    """The recording proxy is one that gRPC uses: what it does not see in the other tests did not pass it."""
    async with serving(SECRET) as service, recording() as proxy:
        set_proxy(monkeypatch, proxy, variable)
        plain = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(service.address, options=plain) as channel:  # noqa: TID251 - ours would not
            await ChittyChatStub(channel).ListParticipants(
                pb.ListParticipantsRequest(),
                metadata=(*identity.credentials(identity.new_session()), *secret.metadata(SECRET)),
                timeout=PATIENCE,
            )
        assert SECRET.encode() in b"".join(proxy.seen)


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_proxy_in_the_environment_sees_nothing_of_the_loopback(variable, host, monkeypatch):
    async with serving(SECRET, host=host) as service, recording() as proxy:
        set_proxy(monkeypatch, proxy, variable)
        await joins(service.address, secret=SECRET)
        assert proxy.seen == []


@pytest.mark.skipif(own_address() in {"", "127.0.0.1"}, reason="this machine has the loopback only")
async def test_a_proxy_in_the_environment_sees_nothing_of_a_call_beyond_the_loopback(monkeypatch):
    async with serving(SECRET, host=own_address(), insecure=True) as service, recording() as proxy:
        set_proxy(monkeypatch, proxy, *VARIABLES)
        await joins(service.address, secret=SECRET, insecure=True)
        assert proxy.seen == []


async def test_a_service_that_cannot_be_reached_names_the_proxy_that_is_not_used(monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    async with recording() as proxy:
        set_proxy(monkeypatch, proxy, "https_proxy")
        joining = asyncio.create_task(joins("chat.invalid:5051"))
        said = "; chitty connects directly and does not use the proxy of https_proxy"
        await eventually_async(lambda: said in caplog.text)
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining
        assert proxy.seen == []
        assert proxy.address not in caplog.text, "a proxy's URL may have a password"


async def test_a_service_on_this_machine_that_cannot_be_reached_says_nothing_of_proxies(monkeypatch, caplog):
    monkeypatch.setenv("https_proxy", "http://127.0.0.2:9")
    joining = asyncio.create_task(joins("127.0.0.1:1"))
    await eventually_async(lambda: "cannot reach the service" in caplog.text)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert "proxy" not in caplog.text


async def test_a_service_on_a_unix_socket_is_reached_whatever_the_environment_says(tmp_path, monkeypatch):
    path = tmp_path / "chat.sock"
    async with serving(SECRET) as service, recording() as proxy:
        set_proxy(monkeypatch, proxy, *VARIABLES)
        forwarding = Proxy(service.address)
        listening = await asyncio.start_unix_server(forwarding.connected, path)
        await joins(f"unix:{path}", secret=SECRET)
        listening.close()
        forwarding.cut()
        assert proxy.seen == []


async def test_without_an_authority_of_its_own_a_participant_trusts_those_of_the_system(tmp_path, monkeypatch):
    made, other = folder(tmp_path / "certs"), folder(tmp_path / "others")
    async with serving(tls=tls(made, mutual=False), host="localhost") as service:
        monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(made.authority.cert))
        monkeypatch.setenv("SSL_CERT_FILE", str(other.authority.cert))
        with pytest.raises(chitty.Refusal, match="not to be trusted"):
            await joins(service.address, tls=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority.cert))
        await joins(service.address, tls=True)


def test_a_system_without_authorities_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "empty"))
    with pytest.raises(SettingsError, match="this system has no list of authorities to trust: give the certificate"):
        chitty.join("alice", "chat.example:1", credentials=chitty.Credentials(tls=True))


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.1", "http://h:1", "", ":1", "h:abc", "[::1", "::1:5"])
def test_an_address_that_can_never_work_is_refused_before_anything_is_tried(address):
    with pytest.raises(InvalidArgument, match=r"is not an address: .*; use HOST:PORT such as") as caught:
        chitty.join("alice", address)
    assert caught.value.field == "address"


async def test_a_callable_that_returns_no_address_ends_the_join():
    with pytest.raises(InvalidArgument, match="'h' is not an address: the port is missing"):
        async with asyncio.timeout(PATIENCE), chitty.join("alice", lambda: "h"):
            pass
