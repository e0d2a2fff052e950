import ssl
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty.core import names
from chitty.core.errors import InvalidArgument, SettingsError
from chitty.wire import tls
from tests.certificates import folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("tls") / "certs", "alice", "bob")


def refused(*paths, call=tls.read_pair) -> str:
    with pytest.raises(SettingsError) as caught:
        call(*paths)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_systems_authorities_are_read_from_a_directory_too(made, tmp_path, monkeypatch):
    (tmp_path / "README").write_text("not a certificate")
    (tmp_path / "link.pem").symlink_to(made.authority.cert)
    (tmp_path / "own.crt").write_bytes(made.authority.cert.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert tls.read_system().split() == made.authority.cert.read_bytes().split()


def test_a_certificate_and_its_key_are_read(made):
    alice = made.client("alice")
    pair = tls.read_pair(alice.cert, alice.key)
    assert (pair.cert, pair.key) == (alice.cert.read_bytes(), alice.key.read_bytes())
    assert "PRIVATE" not in repr(pair)
    assert tls.read_authority(made.authority.cert) == made.authority.cert.read_bytes()


def test_a_file_that_is_missing_is_named_with_the_remedy(made, tmp_path):
    alice, absent = made.client("alice"), tmp_path / "absent.pem"
    for said, what in [
        (refused(absent, alice.key), "certificate"),
        (refused(alice.cert, absent), "private key"),
        (refused(absent, call=tls.read_authority), "authority's certificate"),
    ]:
        assert said == f"cannot read the {what} {absent}: No such file or directory; `chitty certs DIR` makes new ones"


def test_a_folder_in_the_place_of_a_file_is_told(made, tmp_path):
    assert f"cannot read the certificate {tmp_path}: Is a directory" in refused(tmp_path, made.client("alice").key)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\x00", b"-----BEGIN CERTIFICATE-----\nhello\n"])
def test_a_file_that_is_something_else_is_named(made, tmp_path, content):
    alice, other = made.client("alice"), tmp_path / "other.pem"
    other.write_bytes(content)
    for said in (refused(other, alice.key), refused(alice.cert, other), refused(other, call=tls.read_authority)):
        assert str(other) in said
        assert "`chitty certs DIR` makes new ones" in said


def test_a_certificate_and_key_in_each_others_place_are_told(made):
    alice = made.client("alice")
    assert f"{alice.key} is no certificate in PEM" in refused(alice.key, alice.cert)


def test_a_key_of_another_certificate_is_told(made):
    alice, bob = made.client("alice"), made.client("bob")
    assert f"the private key {bob.key} is not that of the certificate {alice.cert}" in refused(alice.cert, bob.key)


def test_an_encrypted_key_is_told_and_nobody_is_asked_for_its_password(made, tmp_path):
    alice, locked = made.client("alice"), tmp_path / "locked.key"
    encrypt = ["openssl", "pkey", "-in", str(alice.key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(encrypt, check=True)
    assert f"the private key {locked} is encrypted" in refused(alice.cert, locked)


def test_a_key_that_others_can_read_is_noticed(made, tmp_path):
    assert not tls.is_open(made.client("alice").key)
    shown = tmp_path / "shown.key"
    shown.touch(0o640)
    assert tls.is_open(shown)


def peer(common: bytes = b"", uris: tuple[bytes, ...] = (), dns: tuple[bytes, ...] = (), cut: str = "") -> dict:
    """What gRPC tells of a certificate with these names; `cut` stands behind a zero byte in each of them."""
    more = b"\0" + cut.encode() if cut else b""
    general = b"".join(
        bytes([tag]) + length(len(name + more)) + name + more
        for tag, some in ((0x86, uris), (0x82, dns))
        for name in some
    )
    return {
        "x509_common_name": [common] if common else [],
        "x509_subject": [b"CN=" + common + (b"\\00" + cut.encode() if cut else b"")],
        "peer_uri": list(uris),
        "peer_dns": list(dns),
        "x509_pem_cert": [ssl.DER_cert_to_PEM_cert(general).encode()],
        "peer_ip": [b"127.0.0.1"],
        "peer_email": [b"eve"],
    }


def length(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([0x81, number])


@pytest.mark.parametrize(
    ("peer", "named"),
    [
        ({}, set()),
        (peer(), set()),
        (peer(b"alice"), {"alice"}),
        (peer(b"Stra\xc3\x9fe"), {"strasse"}),
        (peer(b"Ame\xcc\x81lie"), {"am\u00e9lie"}),
        (peer(b"\xff"), set()),
        (peer(b"alice", dns=(b"Bob", b"carol")), {"bob", "carol"}),
        (peer(b"a", (b"chitty:Zo%C3%AB",), (b"b",)), {"zo\u00eb"}),
        (peer(b"a", (b"CHITTY:alice", b"chitty:" + b"b" * 200)), {"alice", "b" * 200}),
        (peer(b"eve", (b"chitty:",)), set()),
        (peer(b"eve", (b"chitty:%FF",)), set()),
        (peer(b"alice", (b"spiffe://x/bob",)), {"alice"}),
        (peer(b"alice", cut="x"), set()),
        (peer(b"", (b"chitty:alice",), cut="x"), set()),
        (peer(b"", (), (b"alice",), cut="x"), set()),
    ],
)
def test_whom_a_certificate_names(peer, named):
    assert tls.names_in(peer) == named


@given(st.text(min_size=1, max_size=32))
def test_a_name_is_found_again_however_it_is_spelt(text):
    try:
        name = names.normalise(text)
    except InvalidArgument:
        return
    for spelt in (name, text, names.fold(name)):
        assert tls.names_in(peer(spelt.encode())) == {names.fold(name)}


@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=100))
def test_whatever_is_in_a_certificate_there_is_an_answer(uri, dns, common):
    tls.names_in(peer(common, (uri, b"chitty:" + uri), (dns,)))
