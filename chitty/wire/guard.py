"""The rule that nobody listens to the world unguarded. Pure but for the resolution of a name; listens to nothing."""

from chitty.core.errors import CannotListen
from chitty.settings import Server
from chitty.wire import address, secret

_REMEDY = (
    "give server.tls a cert and key, and a client_ca or a secret of at least"
    f" {secret.STRONG} characters ({secret.VARIABLE} or server.secret_file); `chitty certs` makes certificates."
    " --insecure listens all the same"
)


def check(options: Server, joining: str) -> str:
    """Return what a service lacks that was told to listen all the same, empty when it lacks nothing.

    Args:
        options: what the settings say of it.
        joining: the join secret, empty when there is none.

    Raises:
        CannotListen: it could be reached from elsewhere without TLS, or without a way to tell who comes in.
    """
    if address.is_loopback(options.host):
        return ""
    lacking = _lacking(options, joining)
    if lacking and not options.insecure:
        raise CannotListen(f"refusing to listen on {options.host}, beyond the loopback, {lacking}: {_REMEDY}")
    return lacking


def _lacking(options: Server, joining: str) -> str:
    """Return in words what keeps strangers neither out nor from reading along; empty when all is well."""
    if not options.tls.cert:
        return "without TLS: whoever is on the way reads and changes what is said"
    if options.tls.client_ca or len(joining) >= secret.STRONG:
        return ""
    if joining:
        return f"with a secret of {len(joining)} characters, which can be guessed"
    return "without mutual TLS or a secret: whoever reaches it may join"
