"""Certificates of a test: those that `chitty certs` makes, and some that it never would."""

import datetime as dt
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chitty import certs
from chitty.certs import Files, Folder


def folder(directory: Path, *names: str) -> Folder:
    """A directory as `chitty certs` makes it."""
    certs.make(directory, names)
    return Folder(directory)


def tls(made: Folder, *, mutual: bool) -> dict[str, str]:
    """The `tls:` section of a server."""
    ca = str(made.authority.cert) if mutual else ""
    return {"cert": str(made.server.cert), "key": str(made.server.key), "client_ca": ca}


def channel_credentials(made: Folder, name: str = "", files: Files | None = None) -> grpc.ChannelCredentials:
    """What a foreign client shows: the certificate of a name, or one of other files, or none."""
    own = files or (made.client(name) if name else None)
    key, cert = (own.key.read_bytes(), own.cert.read_bytes()) if own else (None, None)
    return grpc.ssl_channel_credentials(made.authority.cert.read_bytes(), key, cert)


def strange(
    made: Folder,
    stem: str,
    common_name: str,
    alternative: list[x509.GeneralName] | None = None,
    days: tuple[int, int] = (-1, 1),
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> Files:
    """A certificate of the authority with any names, valid from one day to another from now on."""
    authority = x509.load_pem_x509_certificate(made.authority.cert.read_bytes())
    signing = serialization.load_pem_private_key(made.authority.key.read_bytes(), None)
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    files = Files(made.directory / f"{stem}.crt", made.directory / f"{stem}.key")
    pem = serialization.Encoding.PEM
    plain = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files.cert.write_bytes(builder.sign(signing, hashes.SHA256()).public_bytes(pem))
    files.key.write_bytes(key.private_bytes(*plain))
    files.key.chmod(0o600)
    return files
