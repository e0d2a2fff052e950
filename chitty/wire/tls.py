"""Certificates and keys as bytes, checked where they are read, and whom a certificate names.

Makes no connection and knows no gRPC: the edges build their credentials from these bytes.
"""

import os
import ssl
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

from chitty.core.errors import SettingsError, cause
from chitty.core.names import fold

SCHEME = b"chitty:"
"""A URI of this scheme in a certificate names a participant: `chitty:NAME`, percent-encoded UTF-8."""

_OPEN = 0o077
_REMEDY = "`chitty certs DIR` makes new ones"
_MISMATCH = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"})


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate, with the chain to its authority behind it, and its private key; both are PEM."""

    cert: bytes
    key: bytes = field(repr=False)


def read_pair(cert: str | os.PathLike[str], key: str | os.PathLike[str]) -> Pair:
    """Read a certificate and its private key.

    Raises:
        SettingsError: one of the files cannot be read or is something else, or they do not belong together.
    """
    pair = Pair(_read(cert, "certificate", b"CERTIFICATE"), _read(key, "private key", b"PRIVATE KEY"))
    if b"ENCRYPTED" in pair.key:
        raise SettingsError(f"the private key {key} is encrypted: `openssl pkey -in {key} -out FILE` writes it plain")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        if error.reason in _MISMATCH:
            raise SettingsError(
                f"the private key {key} is not that of the certificate {cert}: give the two that were made together"
            ) from None
        raise SettingsError(
            f"the certificate {cert} with the private key {key} is not usable: {_reason(error)}; {_REMEDY}"
        ) from None
    return pair


def read_authority(path: str | os.PathLike[str]) -> bytes:
    """Read the certificates of authorities.

    Raises:
        SettingsError: the file cannot be read, or holds none.
    """
    found = _read(path, "authority's certificate", b"CERTIFICATE")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found.decode("ascii", "replace"))
    except ssl.SSLError as error:
        raise SettingsError(f"the authority's certificate {path} is not usable: {_reason(error)}; {_REMEDY}") from None
    return found


def read_system() -> bytes:
    """Read the certificates of the authorities that this system trusts; SSL_CERT_FILE and SSL_CERT_DIR may name them.

    gRPC by itself would use a list of its own.

    Raises:
        SettingsError: there are none.
    """
    where, context = ssl.get_default_verify_paths(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in [where.cafile] if where.cafile else Path(where.capath or os.devnull).glob("*"):
        with suppress(OSError):  # it is not a file of certificates
            context.load_verify_locations(path)
    found = context.get_ca_certs(binary_form=True)
    if not found:
        raise SettingsError(
            "this system has no list of authorities to trust: give the certificate of the one that signed the service's"
            " (--ca, or clients.tls.ca)"
        )
    return "".join(map(ssl.DER_cert_to_PEM_cert, found)).encode()


def is_open(path: str | os.PathLike[str]) -> bool:
    """Tell whether others than its owner may read or write a file."""
    try:
        return bool(Path(path).stat().st_mode & _OPEN)
    except OSError:
        return False


def _read(path: str | os.PathLike[str], what: str, mark: bytes) -> bytes:
    try:
        found = Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read the {what} {path}: {cause(error)}; {_REMEDY}") from None
    if b"-----BEGIN " not in found or mark not in found:
        raise SettingsError(f"{path} is no {what} in PEM: {_REMEDY}")
    return found


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unreadable").replace("_", " ").lower()


def names_in(peer: Mapping[str, Iterable[bytes]]) -> frozenset[str]:
    """Return whom a peer's certificate names, folded; `peer` is gRPC's authentication context.

    URIs `chitty:NAME` name participants, and where there is one nothing else does. Otherwise the DNS names do,
    and where there is none the common name (RFC 6125, 6.4.4). A name that is not ASCII fits in a URI or a common
    name. All are compared as names of participants are: in NFC, whatever the case.
    """
    uris, dns, common, subject, cert = (
        tuple(peer.get(key) or ()) for key in ("peer_uri", "peer_dns", "x509_common_name", "x509_subject", _CERT)
    )
    return _names(uris, dns, common, subject, cert)


_CERT = "x509_pem_cert"
_URI, _DNS = 0x86, 0x82  # tags of a GeneralName: RFC 5280, 4.2.1.6

_Values = tuple[bytes, ...]


@lru_cache(maxsize=1024)
def _names(uris: _Values, dns: _Values, common: _Values, subject: _Values, cert: _Values) -> frozenset[str]:
    encoded = b"".join(ssl.PEM_cert_to_DER_cert(one.decode("ascii")) for one in cert)
    uris = tuple(uri for uri in uris if uri.lower().startswith(SCHEME))
    if uris:
        whole = [uri[len(SCHEME) :] for uri in uris if _is_whole(uri, _URI, encoded)]
        return frozenset(_folded(unquote_to_bytes(name)) for name in whole) - {""}
    if dns:
        return frozenset(_folded(name) for name in dns if _is_whole(name, _DNS, encoded)) - {""}
    # where there is a zero byte, the subject shows it
    return frozenset(_folded(name) for name in common if not any(b"\\00" in text for text in subject)) - {""}


def _is_whole(value: bytes, tag: int, encoded: bytes) -> bool:
    """Tell whether a name stands so in the certificate: gRPC gives the part before a zero byte only.

    Otherwise a certificate for alice, a zero byte and .example, which an authority may think harmless, would
    name alice.
    """
    return bytes([tag]) + _length(len(value)) + value in encoded


def _length(number: int) -> bytes:
    """Return a length in DER (X.690, 8.1.3)."""
    if number < 0x80:  # noqa: PLR2004 - the short form
        return bytes([number])
    octets = number.to_bytes((number.bit_length() + 7) // 8)
    return bytes([0x80 | len(octets)]) + octets


def _folded(text: bytes) -> str:
    """Return what a name is compared by; nothing for what is not UTF-8 and names nobody."""
    try:
        return fold(unicodedata.normalize("NFC", text.decode()))
    except UnicodeDecodeError:
        return ""
