"""The address of the service, and what guards it: TLS, and the rule of chitty.wire.guard."""

import contextlib
import logging

import grpc

from chitty.core.errors import CannotListen
from chitty.settings import Server
from chitty.wire import address, guard, tls


def listen(server: grpc.aio.Server, options: Server, joining: str, logger: logging.Logger, earlier: int = 0) -> str:
    """Bind the address that the settings say and return it as `host:port`; `joining` is the join secret.

    Where any port will do it is the `earlier` one, if that is free: whoever was connected comes back to it.

    Raises:
        CannotListen: it cannot be bound, or it would let strangers in.
        SettingsError: a certificate or key is not usable.
    """
    lacking = guard.check(options, joining)
    if lacking:
        logger.warning("insecure: listening on %s, beyond the loopback, %s", options.host, lacking)
    credentials = _credentials(options)
    for path in filter(tls.is_open, filter(None, (options.tls.key, options.secret_file))):
        logger.warning("others can read %s: `chmod 600` keeps it private", path)
    host = address.listening(options.host)
    for wanted in [earlier, 0] if earlier and not options.port else [options.port]:
        place = address.join(host, wanted)
        with contextlib.suppress(RuntimeError):
            bound = server.add_secure_port(place, credentials) if credentials else server.add_insecure_port(place)
            return address.join(host, bound)
    raise CannotListen(
        f"cannot listen on {address.join(host, options.port)}: the port is taken, or the address is not this machine's;"
        " choose another with --port"
    )


def _credentials(options: Server) -> grpc.ServerCredentials | None:
    if not options.tls.cert:
        return None
    pair = tls.read_pair(options.tls.cert, options.tls.key)
    authority = tls.read_authority(options.tls.client_ca) if options.tls.client_ca else None
    return grpc.ssl_server_credentials([(pair.key, pair.cert)], authority, authority is not None)
