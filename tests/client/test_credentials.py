"""A participant that trusts and is trusted: the library with TLS, certificates and a secret, against real services."""

import asyncio
import logging

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

import chitty
from chitty.client import transport
from chitty.core.errors import NotPermitted, SettingsError, Untrusted
from tests.certificates import folder, strange, tls
from tests.services import serving
from tests.waiting import PATIENCE, eventually_async

SECRET = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("credentials") / "certs", "alice", "bob")


def of(made, name: str = "", **more: object) -> chitty.Credentials:
    own = {"cert": made.client(name).cert, "key": made.client(name).key} if name else {}
    return chitty.Credentials(ca=made.authority.cert, **own, **more)


async def joins(name: str, address: str, credentials: chitty.Credentials) -> None:
    async with asyncio.timeout(PATIENCE), chitty.join(name, address, credentials=credentials) as me:
        await me.publish("hello")
        assert name in await me.participants()


async def refused(name: str, address: str, credentials: chitty.Credentials) -> chitty.Refusal:
    with pytest.raises(chitty.Refusal) as caught:
        await joins(name, address, credentials)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("mutual", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_one_joins_speaks_and_leaves_by_tls(made, mutual, host):
    async with serving(tls=tls(made, mutual=mutual), host=host) as service:
        await joins("alice", service.address, of(made, "alice" if mutual else ""))


async def test_one_who_listens_everywhere_is_trusted_by_the_loopback(made):
    async with serving(tls=tls(made, mutual=True), host="0.0.0.0") as service:
        assert service.address.startswith("0.0.0.0:")
        await joins("alice", service.address, of(made, "alice"))


async def test_a_certificate_of_another_name_is_refused(made):
    async with serving(tls=tls(made, mutual=True)) as service:
        refusal = await refused("alice", service.address, of(made, "bob"))
        assert isinstance(refusal, NotPermitted)
        assert "the certificate names 'bob', and may not be 'alice'" in str(refusal)


async def test_a_service_of_another_authority_is_not_trusted(made, tmp_path):
    other = folder(tmp_path / "others", "alice")
    async with serving(tls=tls(other, mutual=False)) as service:
        refusal = await refused("alice", service.address, of(made))
        assert isinstance(refusal, Untrusted)
        assert "not to be trusted, unable to get local issuer certificate: give the certificate" in str(refusal)


async def test_a_certificate_that_has_run_out_is_not_trusted(made):
    old = strange(
        made, "old", "server", [x509.DNSName("localhost")], days=(-3, -1), purpose=ExtendedKeyUsageOID.SERVER_AUTH
    )
    told = {"cert": str(old.cert), "key": str(old.key), "client_ca": ""}
    async with serving(tls=told, host="localhost") as service:
        refusal = await refused("alice", service.address, of(made))
        assert "not to be trusted, certificate has expired: make a new one" in str(refusal)


async def test_a_certificate_for_another_address_is_not_trusted_unless_its_name_is_said(made):
    async with serving(tls=tls(made, mutual=False), host="127.0.0.2") as service:
        refusal = await refused("alice", service.address, of(made))
        assert "not for the address that is called" in str(refusal)
        await joins("alice", service.address, of(made, server_name="localhost"))


async def test_a_service_without_tls_is_not_trusted_with_less(made):
    async with serving() as service:
        refusal = await refused("alice", service.address, of(made))
        assert "does not speak TLS" in str(refusal)


@pytest.mark.parametrize(("kind", "says"), [("none", "--cert and --key"), ("plain", "TLS only"), ("old", "run out")])
async def test_a_service_that_hangs_up_is_tried_again_with_a_word_on_what_may_be_the_reason(made, caplog, kind, says):
    credentials = {"none": of(made), "plain": chitty.Credentials()}.get(kind)
    if credentials is None:
        old = strange(made, "old", "alice", days=(-3, -1))
        credentials = chitty.Credentials(ca=made.authority.cert, cert=old.cert, key=old.key)
    async with serving(tls=tls(made, mutual=True)) as service:
        joining = asyncio.create_task(joins("alice", service.address, credentials))
        await eventually_async(lambda: says in caplog.text)
        assert not joining.done()
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining


async def test_one_who_belonged_waits_for_the_service_to_be_itself_again(made, tmp_path, monkeypatch):
    other, refused, addresses = folder(tmp_path / "others"), [], []

    def distrust(said: str) -> Untrusted | None:
        refused.append(known := transport_distrust(said))
        return known

    transport_distrust = transport.distrust
    monkeypatch.setattr(transport, "distrust", distrust)
    async with serving(tls=tls(made, mutual=False)) as service:
        addresses.append(service.address)
        me = await chitty.join("alice", lambda: addresses[-1], credentials=of(made)).__aenter__()
    async with serving(tls=tls(other, mutual=False)) as service:
        addresses.append(service.address)
        await eventually_async(lambda: any(refused))
    async with serving(tls=tls(made, mutual=False)) as service:
        addresses.append(service.address)
        await eventually_async(lambda: me.joined)
        await me.leave()


async def test_who_knows_the_secret_comes_in(tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    async with serving(SECRET) as service:
        await joins("alice", service.address, chitty.Credentials(secret=SECRET))
        await joins("alice", service.address, chitty.Credentials(secret_file=file))


@pytest.mark.parametrize("secret", ["", "guess"])
async def test_who_does_not_is_refused_for_good_and_told_the_remedy(secret, monkeypatch):
    monkeypatch.setenv("CHITTY_SECRET", SECRET)
    async with serving(SECRET) as service:
        refusal = await refused("alice", service.address, chitty.Credentials(secret=secret))
        assert isinstance(refusal, chitty.WrongSecret)
        assert "CHITTY_SECRET" in str(refusal)
        assert SECRET not in str(refusal)


@pytest.mark.parametrize("address", ["10.255.255.1:5051", "chat.invalid:5051", "dns:///127.0.0.1.chat.invalid:1"])
async def test_a_secret_does_not_leave_the_machine_without_tls(address):
    refusal = await refused("alice", address, chitty.Credentials(secret=SECRET))
    assert isinstance(refusal, Untrusted)
    assert "for all on the way to read" in str(refusal)
    assert SECRET not in str(refusal)


@pytest.mark.parametrize("spoil", ["absent", "half", "mismatched", "secret"])
def test_what_is_not_usable_is_told_before_anything_is_tried(made, tmp_path, spoil):
    absent, alice = tmp_path / "absent", made.client("alice")
    bad, says = {
        "absent": (chitty.Credentials(ca=absent), f"cannot read the authority's certificate {absent}"),
        "half": (chitty.Credentials(cert=alice.cert), "give both cert and key"),
        "mismatched": (chitty.Credentials(cert=alice.cert, key=made.client("bob").key), "is not that of"),
        "secret": (chitty.Credentials(secret_file=absent), f"cannot read the secret {absent}"),
    }[spoil]
    with pytest.raises(SettingsError, match=says):
        chitty.join("alice", "127.0.0.1:1", credentials=bad)


def test_a_secret_is_not_shown():
    assert SECRET not in repr(chitty.Credentials(secret=SECRET))


async def test_no_session_is_ever_in_a_log_or_an_error(made, caplog):
    caplog.set_level(logging.DEBUG)
    async with (
        serving(tls=tls(made, mutual=True)) as service,
        chitty.join("alice", service.address, credentials=of(made, "alice")) as alice,
    ):
        await alice.publish("hello")
        with pytest.raises(chitty.Refusal) as caught:
            await alice.publish("x" * 129)
        session = alice._secret
        assert len(session) == 32
        assert session not in repr(alice) + repr(vars(alice)["_loaded"]) + str(caught.value)
    assert "op=publish" in caplog.text
    assert session not in caplog.text
