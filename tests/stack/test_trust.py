import pytest

from chitty import resources, settings
from chitty.core.errors import SettingsError
from chitty.settings import Settings, Trust
from chitty.stack import plan, trust
from chitty.stack.plan import Wish
from chitty.stack.up import Request, effective
from tests.certificates import folder, tls


def told(**sections: object) -> Settings:
    base = resources.path("conf/chitty.yaml").read_text()
    return settings.load(str(sections).replace("'", '"') if sections else "", "test", base)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("trust") / "certs", "bob", "Zo\u00eb")


def mutual(made, certs: str | None = None) -> Settings:
    return told(
        server={"tls": tls(made, mutual=True)},
        clients={"tls": {"certs": str(made.directory) if certs is None else certs}},
    )


def test_without_tls_a_participant_trusts_and_shows_nothing():
    assert plan.trust("bob", told()) == Trust()
    assert plan.trust("bob", told(clients={"tls": {"ca": "/x/ca.crt", "certs": "/x"}})) == Trust()


def test_with_mutual_tls_each_has_its_own_certificate(made):
    zoe = made.client("zo\u00eb")
    found = plan.client_told(Wish("Zo\u00eb"), mutual(made), []).trust
    assert found == Trust(tls=True, ca=str(made.authority.cert), cert=str(zoe.cert), key=str(zoe.key))


def test_with_tls_alone_it_has_the_authority_or_the_systems(made):
    server = {"tls": tls(made, mutual=False)}
    assert plan.trust("bob", told(server=server)) == Trust(tls=True)
    assert plan.trust("bob", told(server=server, clients={"tls": {"ca": "/x.crt"}})) == Trust(tls=True, ca="/x.crt")
    certs = {"tls": {"certs": str(made.directory)}}
    assert plan.trust("bob", told(server=server, clients=certs)) == Trust(tls=True, ca=str(made.authority.cert))


def test_the_secret_is_told_by_its_path_only():
    found = plan.client_told(
        Wish("bob"),
        told(
            server={
                "secret_file": "/x/secret",
            }
        ),
        [],
    )
    assert (found.trust.secret_file, found.trust.insecure) == ("/x/secret", False)


def test_those_who_have_certificates_may_start(made):
    trust.check(mutual(made), ["bob", "BOB", "Zo\u00eb"])
    trust.check(told(), ["anybody"])
    trust.check(mutual(made, ""), [])


def test_those_who_have_none_are_named_with_the_command_that_makes_them(made):
    with pytest.raises(SettingsError) as refused:
        trust.check(mutual(made), ["alice", "bob", "carol"])
    assert f"no certificate for alice, carol in {made.clients}" in str(refused.value)
    assert f"`chitty certs {made.directory} alice carol` makes them" in str(refused.value)


def test_a_certificate_without_its_key_is_none(made, tmp_path):
    half = folder(tmp_path / "half", "bob")
    half.client("bob").key.unlink()
    with pytest.raises(SettingsError, match="no certificate for bob"):
        trust.check(mutual(half), ["bob"])


def test_a_service_that_asks_for_certificates_needs_a_directory_of_them(made):
    with pytest.raises(SettingsError, match=r"name the directory of theirs.* in clients\.tls\.certs"):
        trust.check(mutual(made, ""), ["bob"])


def test_the_paths_of_a_file_are_its_own(tmp_path):
    (tmp_path / "mine.yaml").write_text("server: {secret_file: secret}")
    assert effective(Request(config=tmp_path / "mine.yaml")).server.secret_file == str(tmp_path / "secret")


def test_insecure_is_a_setting_and_an_option(tmp_path):
    (tmp_path / "mine.yaml").write_text("server: {insecure: true}")
    assert effective(Request(config=tmp_path / "mine.yaml")).server.insecure
    assert effective(Request(insecure=True)).server.insecure
    assert not effective(Request()).server.insecure


def test_what_is_well_is_no_trouble(made):
    assert list(trust.troubles(told(), ["bob"])) == []
    assert list(trust.troubles(mutual(made), ["bob"])) == []


def test_every_trouble_is_told_with_its_remedy(made, tmp_path):
    shown = tmp_path / "shown.key"
    shown.write_bytes(made.client("bob").key.read_bytes())
    shown.chmod(0o644)
    secret = tmp_path / "secret"
    secret.touch(0o640)
    server = {"tls": {**tls(made, mutual=True), "key": str(shown)}, "secret_file": str(secret)}
    clients = {"tls": {"certs": str(made.directory), "ca": str(tmp_path / "absent")}}
    said = list(trust.troubles(told(server=server, clients=clients), ["alice"]))
    for part in (
        "no certificate for alice",
        f"the private key {shown} is not that of the certificate",
        f"the secret in {secret} is empty",
        f"cannot read the authority's certificate {tmp_path / 'absent'}",
        f"others than you can read {shown}: `chmod 600 {shown}`",
        f"others than you can read {secret}",
    ):
        assert any(part in one for one in said), part
    assert len(said) == 6
