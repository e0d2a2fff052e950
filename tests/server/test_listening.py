"""Where a service listens, and what it asks for before it listens to the world."""

import asyncio

import pytest

from chitty.core.errors import CannotListen, SettingsError
from tests.certificates import channel_credentials, folder, tls
from tests.services import Peer, events, serving

SECRET = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("listening") / "certs", "alice")


def start(secret: str = "", **changes: object) -> str:
    async def listen() -> str:
        async with serving(secret, **changes) as service:
            return service.address

    return asyncio.run(listen())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_on_the_loopback_anybody_may_listen(host):
    assert start(host=host).startswith(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "::ffff:0.0.0.0"])
@pytest.mark.parametrize("guarded", ["nothing", "secret", "tls", "tls and a short secret"])
def test_beyond_it_nobody_listens_without_tls_and_a_way_to_tell_who_comes_in(made, host, guarded):
    told = {"tls": tls(made, mutual=False)} if "tls" in guarded else {}
    secret = {"secret": SECRET, "tls and a short secret": "s3cr3t"}.get(guarded, "")
    with pytest.raises(CannotListen) as refused:
        start(secret, host=host, **told)
    said = str(refused.value)
    assert said.startswith(f"refusing to listen on {host}, beyond the loopback, with")
    for remedy in ("client_ca", "CHITTY_SECRET", "`chitty certs`", "--insecure"):
        assert remedy in said
    assert "\n" not in said
    assert "s3cr3t" not in said
    assert SECRET not in said


@pytest.mark.parametrize("guarded", ["mutual tls", "tls and a secret", "insecure"])
def test_beyond_it_one_may_listen_that_is_guarded_or_was_told_to(made, guarded, caplog):
    told = {"insecure": True} if guarded == "insecure" else {"tls": tls(made, mutual=guarded == "mutual tls")}
    start(SECRET if "secret" in guarded else "", host="0.0.0.0", **told)
    assert ("insecure: listening on 0.0.0.0, beyond the loopback" in caplog.text) is (guarded == "insecure")


def test_a_name_that_resolves_to_nothing_is_told():
    with pytest.raises(CannotListen, match="is not an address"):
        start(host="no.such.name.invalid")


def test_a_certificate_of_no_use_is_told_at_the_start(made, tmp_path):
    told = {**tls(made, mutual=True), "cert": str(tmp_path / "absent.crt")}
    with pytest.raises(SettingsError, match=r"cannot read the certificate .*absent\.crt: No such file"):
        start(tls=told)
    told = {**tls(made, mutual=True), "key": str(made.client("alice").key)}
    with pytest.raises(SettingsError, match="is not that of the certificate"):
        start(tls=told)
    told = {**tls(made, mutual=True), "client_ca": str(made.server.key)}
    with pytest.raises(SettingsError, match="is no authority's certificate"):
        start(tls=told)


def test_a_key_that_others_can_read_is_complained_of(made, caplog, tmp_path):
    shown = tmp_path / "shown.key"
    shown.write_bytes(made.server.key.read_bytes())
    shown.chmod(0o644)
    start(tls={**tls(made, mutual=False), "key": str(shown)})
    assert f"others can read {shown}: `chmod 600`" in caplog.text
    assert "PRIVATE KEY" not in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_what_listens_speaks_tls(made, host):
    async with serving(tls=tls(made, mutual=True), host=host) as service:
        one = Peer(service.address, channel_credentials(made, "alice"))
        await events(one.join("alice"), 1)
        await one.channel.close()
