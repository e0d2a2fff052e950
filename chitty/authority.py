"""A development authority and the certificates that it signs, as PEM. Knows no file.

Importing it takes the `cryptography` package (extra `chitty-chat[tls]`): `chitty.certs` does so when it has to.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEARS = dt.timedelta(days=3650)
_EARLIER = dt.timedelta(hours=1)  # the clock of another machine may be behind
_LONGEST_COMMON_NAME = 64  # bytes: RFC 5280, ub-common-name
_NAME = "Chitty-Chat development authority"


class NoAuthority(ValueError):
    """What was to be an authority's certificate and key is none; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key, both PEM."""

    cert: bytes
    key: bytes = field(repr=False)


class Authority:
    """Signs certificates; what it signs is trusted by whoever trusts it.

    Attributes:
        identity: its own certificate and key.
    """

    def __init__(self, cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._cert = cert
        self._key = key
        self.identity = _identity(cert, key)

    @classmethod
    def new(cls) -> Self:
        """Make a new one, valid for ten years."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
        builder = _begun(subject, subject, key, _now() + _YEARS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        return cls(builder.sign(key, SHA256()), key)

    @classmethod
    def load(cls, cert: bytes, key: bytes) -> Self:
        """Read one that was made earlier.

        Raises:
            NoAuthority: it is not PEM, its key is another one's or of another kind, or it may not sign.
        """
        try:
            certificate, private = x509.load_pem_x509_certificate(cert), load_pem_private_key(key, password=None)
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except (ValueError, TypeError):
            raise NoAuthority("it is not a certificate and a plain private key in PEM") from None
        except x509.ExtensionNotFound:
            raise NoAuthority("it may not sign certificates") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise NoAuthority("its key is not of an elliptic curve")
        if private.public_key() != certificate.public_key():
            raise NoAuthority("its key is that of another certificate")
        if not constraints.ca:
            raise NoAuthority("it may not sign certificates")
        return cls(certificate, private)

    def certify_server(self, hosts: Sequence[str], days: int) -> Identity:
        """Make a certificate of a server that is reached by these names and addresses.

        Raises:
            ValueError: one of them is neither.
        """
        return self._certify("server", [_host(host) for host in hosts], days, ExtendedKeyUsageOID.SERVER_AUTH)

    def certify_client(self, name: str, days: int) -> Identity:
        """Make a certificate that names a participant, in a URI: no other field takes every name."""
        uri = x509.UniformResourceIdentifier(f"chitty:{quote(name, safe='')}")
        return self._certify(name, [uri], days, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _certify(
        self, name: str, alternative: Sequence[x509.GeneralName], days: int, purpose: x509.ObjectIdentifier
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        end = min(_now() + dt.timedelta(days=days), self._cert.not_valid_after_utc)
        builder = _begun(_subject(name), self._cert.subject, key, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        return _identity(builder.sign(self._key, SHA256()), key)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: dt.datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(_now() - _EARLIER).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def _subject(name: str) -> x509.Name:
    """Return a subject for people to read; of the longest names it has the beginning."""
    text = name.encode()[:_LONGEST_COMMON_NAME].decode(errors="ignore")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host if host.isascii() else host.encode("idna").decode())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _identity(cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Identity:
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Identity(cert.public_bytes(Encoding.PEM), plain)
