"""How a participant trusts a service and is trusted by it: plain paths, and what is read from them.

Knows no gRPC: the transport makes a channel of it.
"""

import os
from dataclasses import dataclass, field

from chitty.core.errors import SettingsError, Untrusted
from chitty.settings import Trust
from chitty.wire import secret, tls
from chitty.wire.address import Address
from chitty.wire.tls import Pair

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a participant trusts and shows; nothing of it is needed for a service that asks for nothing.

    Attributes:
        tls: call the service by TLS; said by `ca`, `cert` or `server_name` as well.
        ca: PEM file of the authority that must have certified the service; empty for the system's.
        cert: PEM file of the participant's own certificate, for mutual TLS.
        key: PEM file of its private key.
        server_name: what the service's certificate is for, when that is not where it is called.
        secret: the join secret. It is not taken from the environment by itself: it would go to any service.
        secret_file: a file with the join secret, instead.
        insecure: let the secret travel without TLS beyond this machine.
    """

    tls: bool = False
    ca: StrPath = ""
    cert: StrPath = ""
    key: StrPath = ""
    server_name: str = ""
    secret: str = field(default="", repr=False)
    secret_file: StrPath = ""
    insecure: bool = False


def of(trust: Trust) -> Credentials:
    """Return the credentials of a participant's process: its settings' and the environment's secret."""
    return Credentials(
        tls=trust.tls,
        ca=trust.ca,
        cert=trust.cert,
        key=trust.key,
        secret=secret.read(trust.secret_file),
        insecure=trust.insecure,
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """Credentials as bytes.

    Attributes:
        tls: whether the service is called by TLS.
        authority: PEM of the authorities to trust, None without TLS.
        pair: the participant's own certificate and key.
    """

    tls: bool = False
    authority: bytes | None = None
    pair: Pair | None = None
    server_name: str = ""
    secret: str = field(default="", repr=False)
    insecure: bool = False

    def check(self, address: Address) -> None:
        """Refuse to call a service where others on the way would read the secret.

        Raises:
            Untrusted: they would, and nobody has said that they may.
        """
        if self.secret and not (self.tls or self.insecure or address.stays_here):
            raise Untrusted(
                f"the secret would travel to {address.host} for all on the way to read: use TLS (--tls,"
                " or --ca with the authority of the service), or say --insecure"
            )


def load(credentials: Credentials) -> Loaded:
    """Read the files that credentials name.

    Raises:
        SettingsError: one of them is not usable, or what is said does not go together.
    """
    if bool(os.fspath(credentials.cert)) is not bool(os.fspath(credentials.key)):
        raise SettingsError("a certificate and its private key belong together: give both cert and key, or neither")
    by_tls = bool(credentials.tls or credentials.ca or credentials.cert or credentials.server_name)
    return Loaded(
        tls=by_tls,
        authority=(tls.read_authority(credentials.ca) if credentials.ca else tls.read_system()) if by_tls else None,
        pair=tls.read_pair(credentials.cert, credentials.key) if credentials.cert else None,
        server_name=credentials.server_name,
        secret=secret.read(credentials.secret_file, {secret.VARIABLE: credentials.secret}),
        insecure=credentials.insecure,
    )
