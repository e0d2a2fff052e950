"""The address of the service, and what guards it: TLS, and the rule that nobody listens to the world unguarded."""

import logging

import grpc

from chitty.core.errors import CannotListen
from chitty.settings import Server
from chitty.wire import address, secret, tls

_REMEDY = (
    "give server.tls a cert and key, and a client_ca or a secret of at least"
    f" {secret.STRONG} characters ({secret.VARIABLE} or server.secret_file); `chitty certs` makes certificates."
    " --insecure listens all the same"
)


def listen(server: grpc.aio.Server, options: Server, joining: str, logger: logging.Logger) -> str:
    """Bind the address that the settings say and return it as `host:port`; `joining` is the join secret.

    Raises:
        CannotListen: it cannot be bound, or it would let strangers in.
        SettingsError: a certificate or key is not usable.
    """
    _refuse_strangers(options, joining, logger)
    credentials = _credentials(options)
    for path in filter(tls.is_open, filter(None, (options.tls.key, options.secret_file))):
        logger.warning("others can read %s: `chmod 600` keeps it private", path)
    host = f"[{options.host}]" if ":" in options.host else options.host
    wanted = f"{host}:{options.port}"
    try:
        port = server.add_insecure_port(wanted) if credentials is None else server.add_secure_port(wanted, credentials)
    except RuntimeError:
        raise CannotListen(
            f"cannot listen on {wanted}: the port is taken, or the address is not this machine's;"
            " choose another with --port"
        ) from None
    return f"{host}:{port}"


def _refuse_strangers(options: Server, joining: str, logger: logging.Logger) -> None:
    """Refuse to be reachable from elsewhere without TLS and a way to tell who comes in."""
    if address.is_loopback(options.host):
        return
    lacking = _lacking(options, joining)
    if lacking and not options.insecure:
        raise CannotListen(f"refusing to listen on {options.host}, beyond the loopback, {lacking}: {_REMEDY}")
    if lacking:
        logger.warning("insecure: listening on %s, beyond the loopback, %s", options.host, lacking)


def _lacking(options: Server, joining: str) -> str:
    """Return in words what keeps strangers neither out nor from reading along; empty when all is well."""
    if not options.tls.cert:
        return "without TLS: whoever is on the way reads and changes what is said"
    if options.tls.client_ca or len(joining) >= secret.STRONG:
        return ""
    if joining:
        return f"with a secret of {len(joining)} characters, which can be guessed"
    return "without mutual TLS or a secret: whoever reaches it may join"


def _credentials(options: Server) -> grpc.ServerCredentials | None:
    if not options.tls.cert:
        return None
    pair = tls.read_pair(options.tls.cert, options.tls.key)
    authority = tls.read_authority(options.tls.client_ca) if options.tls.client_ca else None
    return grpc.ssl_server_credentials([(pair.key, pair.cert)], authority, authority is not None)
