"""What gRPC says of a connection that failed, in words that name the remedy. Knows no call."""

import re

from chitty.client.credentials import Loaded
from chitty.core.errors import Untrusted
from chitty.wire.address import Address, without_proxy

_VERDICT = re.compile(r"CERTIFICATE_VERIFY_FAILED: ([a-z -]+)")
_ISSUERS = ("issuer", "self signed", "self-signed")


def distrust(said: str) -> Untrusted | None:
    """Return why a service that was reached is not trusted, None if that is not why a call failed.

    Trying again is of no use: it is as it is until somebody mends it.
    """
    if "WRONG_VERSION_NUMBER" in said:
        return Untrusted("the service does not speak TLS: call it without, or give it a certificate in server.tls")
    if "Hostname Verification Check failed" in said:
        return Untrusted(
            "the service's certificate is not for the address that is called: call it by a name in its certificate,"
            " say that name (--server-name), or add this one with `chitty certs DIR --host NAME --force`"
        )
    if "CERTIFICATE_VERIFY_FAILED" not in said:
        return None
    found = _VERDICT.search(said)
    why = found[1].strip() if found else "it cannot be verified"
    remedy = (
        "give the certificate of the authority that signed it (--ca, or clients.tls.ca)"
        if any(word in why for word in _ISSUERS)
        else "make a new one, as `chitty certs DIR --force` does"
    )
    return Untrusted(f"the service's certificate is not to be trusted, {why}: {remedy}")


def hint(said: str, loaded: Loaded, address: Address) -> str:
    """Return what may be the reason when a service was not reached or hangs up during the handshake."""
    if "failed to connect" not in said and "errors resolving" not in said:
        return ""
    if "Socket closed" in said:  # which is all that it says of a handshake that it ends
        return f"; {_handshake(loaded)}"
    unused = without_proxy(address)
    return f"; {unused}" if unused else ""


def _handshake(loaded: Loaded) -> str:
    if loaded.pair:
        return "it may not accept the certificate, which has run out or is of another authority"
    if loaded.tls:
        return "it may ask for a certificate (--cert and --key)"
    return "it may speak TLS only (--tls, or --ca with the certificate of its authority)"
