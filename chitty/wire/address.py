"""Where a service listens and where it is reached: which addresses only this machine can reach. Opens nothing."""

import ipaddress
import socket

from chitty.core.errors import CannotListen

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}  # noqa: S104 - recognised, not bound


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach what listens on `host`, however that is spelt.

    A name counts as what it resolves to, all of it: one address elsewhere is enough to be reached from there.

    Raises:
        CannotListen: it is no address, and resolves to none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise CannotListen(
            f"cannot listen on {host!r}: it is no address and no name that resolves to one;"
            " give server.host an address of this machine, such as 127.0.0.1"
        ) from None
    return all(_is_loopback(str(address[0])) for *_, address in found)


def stays_here(target: str) -> bool:
    """Tell whether a call to `target`, as gRPC writes it, stays on this machine. Nothing is resolved for it."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    host = host_of(target)
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return _is_loopback(host)
    except ValueError:
        return False


def host_of(target: str) -> str:
    """Return the host of `host:port`, without the brackets of an IPv6 address."""
    host, colon, port = target.rpartition(":")
    return (host if colon and port.isdigit() else target).strip("[]")


def reachable(target: str) -> str:
    """Return where one on this machine reaches a service that may listen everywhere."""
    host, colon, port = target.rpartition(":")
    return f"{_EVERYWHERE.get(host, host)}{colon}{port}"


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
