"""Certificates and keys as bytes, checked where they are read, and whom a certificate names.

Makes no connection and knows no gRPC: the edges build their credentials from these bytes.
"""

import os
import ssl
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from chitty.core.errors import SettingsError
from chitty.core.names import fold

SCHEME = "chitty:"
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
        raise SettingsError(f"cannot read the {what} {path}: {error.strerror}; {_REMEDY}") from None
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
    uris = [text for text in _texts(peer, "peer_uri") if text.lower().startswith(SCHEME)]
    if uris:
        return frozenset(_folded(name) for text in uris if (name := _unquoted(text[len(SCHEME) :])))
    named = _texts(peer, "peer_dns") or _texts(peer, "x509_common_name")
    return frozenset(_folded(text) for text in named if text)


def _folded(text: str) -> str:
    return fold(unicodedata.normalize("NFC", text))


def _texts(peer: Mapping[str, Iterable[bytes]], key: str) -> list[str]:
    """Return the values that are UTF-8; others name nobody."""
    found = []
    for value in peer.get(key) or ():
        try:
            found.append(value.decode())
        except UnicodeDecodeError:
            continue
    return found


def _unquoted(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return ""
