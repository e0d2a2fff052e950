import datetime as dt
import os
import stat
import sys

import pytest
from cryptography import x509

from chitty import certs
from chitty.certs import Folder
from chitty.core.errors import NotInstalled, SettingsError
from chitty.core.names import fold
from chitty.wire import tls


@pytest.fixture
def place(tmp_path):
    return Folder(tmp_path / "certs")


def load(path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_authority_a_server_and_participants_are_made(place):
    made = certs.make(place.directory, ["alice", "Zo\u00eb"], hosts=["chat.example", "10.1.2.3"])
    assert made.kept == ()
    assert set(made.made) == {
        place.authority.cert,
        place.server.cert,
        place.client("alice").cert,
        place.client("ZO\u00cb").cert,
    }
    alternative = load(place.server.cert).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.DNSName) == ["localhost", "chat.example"]
    assert [str(found) for found in alternative.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "10.1.2.3"]
    for files in (place.server, place.client("alice"), place.client("Zo\u00eb")):
        tls.read_pair(files.cert, files.key)
        load(files.cert).verify_directly_issued_by(load(place.authority.cert))
    uri = load(place.client("Zo\u00eb").cert).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert uri.get_values_for_type(x509.UniformResourceIdentifier) == ["chitty:Zo%C3%AB"]


def test_keys_are_for_their_owner_only_whatever_the_umask(place):
    old = os.umask(0)
    try:
        certs.make(place.directory, ["alice"])
    finally:
        os.umask(old)
    assert {mode(files.key) for files in (place.authority, place.server, place.client("alice"))} == {0o600}
    assert {mode(place.directory), mode(place.clients)} == {0o700}


def test_certificates_are_valid_as_long_as_asked_and_a_year_otherwise(place):
    certs.make(place.directory, ["alice"])
    certs.make(place.directory, ["bob"], days=3)
    for name, days in (("alice", 365), ("bob", 3)):
        end = load(place.client(name).cert).not_valid_after_utc - dt.datetime.now(dt.UTC)
        assert dt.timedelta(days=days - 1) < end <= dt.timedelta(days=days)


def test_none_outlives_its_authority(place):
    certs.make(place.directory, ["alice"], days=100_000)
    assert load(place.client("alice").cert).not_valid_after_utc == load(place.authority.cert).not_valid_after_utc


def test_an_authority_and_a_server_that_are_there_are_kept(place):
    certs.make(place.directory, ["alice"])
    before = {path: path.read_bytes() for path in place.directory.rglob("*.*")}
    made = certs.make(place.directory, ["bob"])
    assert made.made == (place.client("bob").cert,)
    assert made.kept == (place.authority.cert, place.server.cert)
    assert all(path.read_bytes() == content for path, content in before.items())
    load(place.client("bob").cert).verify_directly_issued_by(load(place.authority.cert))


@pytest.mark.parametrize("names", [["alice"], ["bob", "ALICE"]])
def test_nothing_is_overwritten_unless_told_to(place, names):
    certs.make(place.directory, ["alice"])
    before = place.client("alice").cert.read_bytes()
    with pytest.raises(SettingsError, match=r"alice\.crt exists already: --force"):
        certs.make(place.directory, names)
    assert place.client("alice").cert.read_bytes() == before
    assert not place.client("bob").cert.exists(), "all or nothing"
    server = place.server.cert.read_bytes()
    certs.make(place.directory, names, force=True)
    assert place.client("alice").cert.read_bytes() != before
    assert place.server.cert.read_bytes() == server, "its hosts would be lost"


def test_the_server_is_made_anew_with_other_hosts_if_told_to(place):
    certs.make(place.directory, [])
    with pytest.raises(SettingsError, match=r"server\.crt exists already: --force"):
        certs.make(place.directory, [], hosts=["chat.example"])
    certs.make(place.directory, [], hosts=["chat.example"], force=True)
    alternative = load(place.server.cert).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "chat.example" in alternative.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize(
    "host", ["", "a b", "https://chat.example", "a/b", "chat.example:5051", "abc:5051", "a\nb", "10.0.0.256"]
)
def test_what_is_no_host_is_told_and_nothing_is_made(place, host):
    with pytest.raises(SettingsError, match="is neither a name nor an IP address of a server: give one such as"):
        certs.make(place.directory, ["alice"], hosts=[host])
    assert not place.directory.exists()


@pytest.mark.parametrize("spoil", ["missing", "garbage", "another's", "a participant's"])
def test_an_authority_of_no_use_is_told(place, spoil, tmp_path):
    certs.make(place.directory, ["alice"])
    own = place.authority
    if spoil == "missing":
        own.key.unlink()
    elif spoil == "garbage":
        own.key.write_text("hello")
    elif spoil == "another's":
        certs.make(tmp_path / "others", [])
        own.key.write_bytes(Folder(tmp_path / "others").authority.key.read_bytes())
    else:
        own.cert.write_bytes(place.client("alice").cert.read_bytes())
        own.key.write_bytes(place.client("alice").key.read_bytes())
    with pytest.raises(SettingsError) as refused:
        certs.make(place.directory, ["bob"])
    assert str(own.key) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_directory_that_others_can_write_to_is_refused(place):
    place.directory.mkdir()
    place.directory.chmod(0o777)
    with pytest.raises(SettingsError, match=r"others could replace what is in .* `chmod 700"):
        certs.make(place.directory, ["alice"])


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"cannot make certificates in .*file"):
        certs.make(tmp_path / "file", ["alice"])


def test_without_the_package_it_is_told_how_to_get_it(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.delitem(sys.modules, "chitty.authority", raising=False)
    monkeypatch.delattr("chitty.authority", raising=False)
    with pytest.raises(NotInstalled, match=r"pip install 'cryptography>="):
        certs.make(place.directory, ["alice"])
    assert not place.directory.exists()


@pytest.mark.parametrize(
    "name", ["a" * 32, "\U0002070e" * 32, "\ufb03" * 32, "\u0390" * 32, "x.key", "ca", "Stra\u00dfe"]
)
def test_every_name_can_have_a_certificate_and_it_names_it(place, name):
    certs.make(place.directory, [name])
    cert = place.client(name).cert
    uri = load(cert).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = [one.encode() for one in uri.get_values_for_type(x509.UniformResourceIdentifier)]
    assert tls.names_in({"peer_uri": found, "x509_pem_cert": [cert.read_bytes()]}) == {fold(name)}
