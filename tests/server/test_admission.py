"""Who may come in: TLS, certificates that name participants, and the join secret, over real gRPC."""

import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chitty.core.errors import NotPermitted
from chitty.server.admission import Admission
from chitty.server.service import Service
from chitty.wire import chitty_pb2 as pb
from chitty.wire import secret
from tests.certificates import channel_credentials, folder, strange, tls
from tests.services import Peer, events, serving

SECRET = "correct-horse-battery-staple"

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNKNOWN = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("admission") / "certs", "alice", "bob", "Zo\u00eb")


@contextlib.asynccontextmanager
async def peer(service: Service, credentials: grpc.ChannelCredentials | None = None) -> AsyncIterator[Peer]:
    one = Peer(service.address, credentials)
    try:
        yield one
    finally:
        await one.channel.close()


async def refusal(awaitable) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value.code(), caught.value.details()


class TestMutualTls:
    @pytest.fixture
    async def service(self, made):
        async with serving(tls=tls(made, mutual=True)) as service:
            yield service

    @pytest.mark.parametrize(("own", "name"), [("alice", "alice"), ("alice", "ALICE"), ("Zo\u00eb", "zo\u00eb")])
    async def test_a_participant_joins_as_whom_its_certificate_names(self, service, made, own, name):
        async with peer(service, channel_credentials(made, own)) as one:
            stream = one.join(name)
            await events(stream, 1)
            await one.publish("hello")
            await events(stream, 1)
            await one.leave()
            assert await stream.code() is grpc.StatusCode.OK

    async def test_joining_under_another_name_is_denied_and_nothing_happens(self, service, made):
        async with peer(service, channel_credentials(made, "bob")) as bob:
            code, text = await refusal(bob.join("alice").read())
            assert code is DENIED
            assert "the certificate names 'bob', and may not be 'alice'" in text
            assert "`chitty certs DIR NAME`" in text
            bob.joining = 0
            (joined,) = await events(bob.join("bob"), 1)
            assert (joined.sequence, joined.lamport) == (1, 4), "a refused request moves no clock"

    async def test_a_stolen_session_is_of_no_use_with_another_certificate(self, service, made):
        alices, bobs = channel_credentials(made, "alice"), channel_credentials(made, "bob")
        async with peer(service, alices) as alice, peer(service, bobs) as thief:
            stream = alice.join("alice")
            await events(stream, 1)
            thief.metadata, thief.numbers = alice.metadata, alice.numbers
            assert (await refusal(thief.publish("I am alice")))[0] is DENIED
            assert (await refusal(thief.leave()))[0] is DENIED
            assert (await refusal(thief.join("alice", epoch=service.epoch, after=1).read()))[0] is DENIED
            assert (await refusal(thief.join("bob").read()))[0] is not grpc.StatusCode.OK
            await alice.publish("still here")
            (said,) = await events(stream, 1)
            assert (said.text, said.sequence) == ("still here", 2), "nothing of the thief was broadcast"

    async def test_the_session_of_another_opens_nothing_before_it_joins_nor_after(self, service, made):
        alices, bobs = channel_credentials(made, "alice"), channel_credentials(made, "bob")
        async with peer(service, alices) as alice, peer(service, bobs) as thief:
            thief.metadata = alice.metadata
            code, text = await refusal(thief.publishing().read())
            assert code is UNKNOWN
            assert "join first" in text
            stream = alice.join("alice")
            await events(stream, 1)
            again = thief.publishing()
            await again.write(pb.PublishRequest(messages=[pb.Message(number=5, lamport=5, text="late")]))
            assert (await refusal(again.read()))[0] is DENIED

    async def test_one_that_has_left_is_given_its_receipts_again_and_others_are_not(self, service, made):
        alices, bobs = channel_credentials(made, "alice"), channel_credentials(made, "bob")
        async with peer(service, alices) as alice, peer(service, bobs) as thief:
            await events(alice.join("alice"), 1)
            request = pb.LeaveRequest(number=next(alice.numbers), lamport=alice.tick())
            first = await alice.stub.Leave(request, metadata=alice.metadata)
            assert await alice.stub.Leave(request, metadata=alice.metadata) == first
            assert (await refusal(thief.stub.Leave(request, metadata=alice.metadata)))[0] is DENIED

    @pytest.mark.parametrize("kind", ["none", "expired", "of another authority", "the server's", "of the future"])
    async def test_without_a_certificate_of_the_authority_there_is_no_call(self, service, made, tmp_path, kind):
        server = ExtendedKeyUsageOID.SERVER_AUTH
        if kind == "none":
            shown = channel_credentials(made)
        elif kind == "of another authority":
            other = folder(tmp_path / "others", "alice")
            shown = grpc.ssl_channel_credentials(
                made.authority.cert.read_bytes(),
                other.client("alice").key.read_bytes(),
                other.client("alice").cert.read_bytes(),
            )
        elif kind == "the server's":
            shown = channel_credentials(made, files=strange(made, "server2", "alice", purpose=server))
        else:
            days = (-3, -1) if kind == "expired" else (1, 3)
            shown = channel_credentials(made, files=strange(made, "odd", "alice", days=days))
        async with peer(service, shown) as one:
            assert (await refusal(one.join("alice").read()))[0] is grpc.StatusCode.UNAVAILABLE
            listing = one.stub.ListParticipants(pb.ListParticipantsRequest())
            assert (await refusal(listing))[0] is grpc.StatusCode.UNAVAILABLE

    @pytest.mark.parametrize(
        ("common", "alternative", "name", "may"),
        [
            ("alice", None, "alice", True),
            ("Zo\u00eb", None, "ZO\u00cb", True),
            ("Stra\u00dfe", None, "STRASSE", True),
            ("alice", [x509.DNSName("carol")], "carol", True),
            ("alice", [x509.DNSName("carol")], "alice", False),
            ("alice", [x509.DNSName("carol"), x509.UniformResourceIdentifier("chitty:dave")], "carol", False),
            (
                "x",
                [x509.UniformResourceIdentifier("chitty:dave"), x509.UniformResourceIdentifier("chitty:e")],
                "e",
                True,
            ),
            ("x", [x509.RFC822Name("alice")], "alice", False),
            ("x", [x509.DNSName("*.example")], "a.example", False),
            ("alice\x00.example", None, "alice", False),
            ("x", [x509.DNSName("alice\x00.example")], "alice", False),
            ("x", [x509.UniformResourceIdentifier("chitty:alice\x00.example")], "alice", False),
        ],
    )
    async def test_which_field_names_whom(self, service, made, common, alternative, name, may):
        files = strange(made, "odd", common, alternative)
        async with peer(service, channel_credentials(made, files=files)) as one:
            if may:
                await events(one.join(name), 1)
            else:
                assert (await refusal(one.join(name).read()))[0] is DENIED

    async def test_one_without_tls_gets_no_answer(self, service):
        async with peer(service) as one:
            assert (await refusal(one.join("alice").read()))[0] is grpc.StatusCode.UNAVAILABLE


class Shown:
    """A call whose certificate names somebody."""

    def __init__(self, name: str) -> None:
        self._name = name

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_common_name": [self._name.encode()]}


def test_a_session_is_its_owners_while_its_join_is_still_under_way():
    admission = Admission("", named=True, member=lambda _: None)
    admission.check_holder(Shown("bob"), "0123456789abcdef")  # nobody's: it is the hub that refuses
    admission.check_name(Shown("Alice"), "0123456789abcdef", "alice")
    admission.check_holder(Shown("ALICE"), "0123456789abcdef")
    with pytest.raises(NotPermitted, match="names 'bob', and may not use a session that another"):
        admission.check_holder(Shown("bob"), "0123456789abcdef")


class TestTls:
    async def test_under_tls_alone_any_name_is_free(self, made):
        async with serving(tls=tls(made, mutual=False)) as service, peer(service, channel_credentials(made)) as one:
            await events(one.join("whoever"), 1)
            await one.publish("hello")

    async def test_a_certificate_that_nobody_asked_for_is_no_matter(self, made):
        async with (
            serving(tls=tls(made, mutual=False)) as service,
            peer(service, channel_credentials(made, "bob")) as one,
        ):
            await events(one.join("alice"), 1)


class TestSecret:
    @pytest.fixture
    async def service(self):
        async with serving(SECRET) as service:
            yield service

    async def test_who_carries_it_comes_in(self, service):
        async with peer(service) as one:
            plain = one.metadata
            one.metadata = (*plain, *secret.metadata(SECRET))
            await events(one.join("alice"), 1)
            listing = await one.stub.ListParticipants(pb.ListParticipantsRequest(), metadata=secret.metadata(SECRET))
            assert [found.name for found in listing.participants] == ["alice"]
            one.metadata = plain
            await one.publish("the session says who I am from here on")
            await one.leave()

    @pytest.mark.parametrize(("sent", "says"), [("", "carries none"), ("guess", "is not that of the service")])
    async def test_who_does_not_stays_out_and_is_told_the_remedy(self, service, caplog, sent, says):
        async with peer(service) as one:
            one.metadata = (*one.metadata, *secret.metadata(sent))
            listing = one.stub.ListParticipants(pb.ListParticipantsRequest(), metadata=secret.metadata(sent))
            for call in (one.join("alice").read(), listing):
                code, text = await refusal(call)
                assert code is UNKNOWN
                assert says in text
                assert "CHITTY_SECRET" in text
                assert "--secret-file" in text
                assert SECRET not in text
        assert SECRET not in caplog.text
        assert "guess" not in caplog.text

    async def test_resuming_takes_it_too(self, service):
        async with peer(service) as one:
            plain = one.metadata
            one.metadata = (*plain, *secret.metadata(SECRET))
            await events(one.join("alice"), 1)
            one.metadata = plain
            assert (await refusal(one.join("alice", epoch=service.epoch, after=1).read()))[0] is UNKNOWN

    async def test_whether_it_is_well_can_be_asked_without(self, service):
        async with peer(service) as one:
            answer = await health_pb2_grpc.HealthStub(one.channel).Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
