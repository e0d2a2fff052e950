"""Addresses: the one parser of them, which of them only this machine can reach, and proxies, which we never use.

Connects to nothing, and knows no gRPC but for how it writes a target.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from chitty.core.errors import CannotListen, InvalidArgument

VALID = "HOST:PORT such as chat.example:5051 or [::1]:5051, or unix:/PATH"
"""What an address looks like, for people."""

_PROXIES = frozenset({"grpc_proxy", "https_proxy", "http_proxy", "all_proxy", "grpc_address_http_proxy"})

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PLACE = re.compile(r"(?P<host>\[[!-Z\\^-~]+\]|[!-9;-Z\\^-~]+):(?P<port>[!-9;-Z\\^-~]+)")  # without white space
_PORT = re.compile(r"[0-9]{1,5}")
_LABEL = re.compile(r"\w([\w-]{0,61}\w)?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_SOCKET = re.compile(r"([\w/.~!$&'()*+,;=:@-]|%[0-9A-F]{2})+", re.ASCII | re.IGNORECASE)  # a path of RFC 3986

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound
_MAX_NAME = 253  # RFC 1035, 2.3.4, without the dot at the end
_MAX_PORT = 65_535
_MAX_SOCKET = 107  # bytes of sockaddr_un.sun_path, without the zero at its end
_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is called.

    Attributes:
        host: an IP address or a name, without brackets; empty for a unix socket.
        port: 1 to 65535; 0 for a unix socket.
        socket: a unix socket as gRPC writes it, such as `unix:/run/chat.sock`; otherwise empty.
    """

    host: str = ""
    port: int = 0
    socket: str = ""

    def __str__(self) -> str:
        return self.socket or join(self.host, self.port)

    @property
    def target(self) -> str:
        """The address as gRPC wants it. Without `dns:`, a host called `xds` would be a scheme of gRPC's."""
        return self.socket or f"dns:///{quote(str(self), safe=':')}"

    @property
    def stays_here(self) -> bool:
        """Whether a call stays on this machine.

        A name does not, unless it is `localhost`: what it resolves to may be another machine the next time.
        """
        if self.socket or self.host == "localhost":
            return True
        try:
            return _is_loopback(self.host)
        except ValueError:
            return False


def parse(text: str) -> Address:
    """Parse the address of a service: `HOST:PORT`, `[IPV6]:PORT`, `unix:PATH` or `unix-abstract:NAME`.

    `dns:///HOST:PORT`, as gRPC writes it, is `HOST:PORT`. A service that listens everywhere is called on the loopback.

    Raises:
        InvalidArgument: no service can ever be reached by it.
    """
    try:
        if text.startswith(("unix:", "unix-abstract:")):
            return Address(socket=_socket(text))
        return _place(text.removeprefix("dns:///"))
    except ValueError as error:
        shown = repr(text) if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]!r}..."
        raise InvalidArgument(f"{shown} is not an address: {error}; use {VALID}", field="address") from None


def join(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening(host: str) -> str:
    """Return the host that a service listens on as others have to write it: `127.1` is 127.0.0.1.

    Raises:
        CannotListen: it is neither an address nor a name.
    """
    try:
        return _host(host)
    except ValueError:
        raise _no_address(host) from None


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach what listens on `host`, however that is written.

    A name counts as what it resolves to, all of it: one address elsewhere is enough to be reached from there.

    Raises:
        CannotListen: it is not an address, and resolves to none.
    """
    try:
        found = socket.getaddrinfo(listening(host), None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise _no_address(host) from None
    return all(_is_loopback(str(address[0])) for *_, address in found)


def proxies(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the environment variables that name a proxy. We use none: it would read secrets and sessions."""
    return sorted(name for name, value in environment.items() if name.lower() in _PROXIES and value.strip())


def without_proxy(address: Address, environment: Mapping[str, str] = os.environ) -> str:
    """Return a remark for when a service beyond this machine cannot be reached; empty where no proxy is set."""
    found = [] if address.stays_here else proxies(environment)
    return f"chitty connects directly and does not use the proxy of {', '.join(found)}" if found else ""


def _no_address(host: str) -> CannotListen:
    return CannotListen(
        f"cannot listen on {host!r}: it is not an address, nor a name that resolves to one;"
        " set server.host to an address of this machine, such as 127.0.0.1"
    )


def _place(text: str) -> Address:
    """Parse `HOST:PORT`; a ValueError says what is wrong."""
    found = _PLACE.fullmatch(text)
    if found is None or _SCHEME.match(text):
        raise ValueError(_flaw(text))
    host, port = found["host"], found["port"]
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= _MAX_PORT:
        raise ValueError(f"the port is not a number from 1 to {_MAX_PORT}")
    if host.startswith("[") and not _is_ipv6(host[1:-1]):
        raise ValueError("what is in brackets is not an IPv6 address")
    host = _host(host.strip("[]"))
    return Address(_EVERYWHERE.get(host, host), int(port))


def _flaw(text: str) -> str:
    """Return what keeps a text from being `HOST:PORT`: the first that is so."""
    strange = next((character for character in text if not "!" <= character <= "~"), "")
    many = text.count(":") > 1 and "[" not in text
    flaws = (
        (not text, "it is empty"),
        (bool(strange), f"it contains {strange!a}"),
        (_SCHEME.match(text) is not None, "it begins with a scheme"),
        (text.count("[") != text.count("]"), "its brackets do not match"),
        (many and _is_ipv6(text), "an IPv6 address needs brackets"),
        (many, "it has more than one ':'"),
        (":" not in text or text.endswith((":", "]")), "the port is missing"),
        (text.startswith((":", "[]:")), "the host is missing"),
    )
    return next((words for found, words in flaws if found), "its brackets are not around an IPv6 address")


def _host(text: str) -> str:
    """Return a host as everybody understands it; a ValueError says what is wrong with it."""
    if ":" in text:
        return str(ipaddress.IPv6Address(text))
    name = text.removesuffix(".")
    if name.lower() == "localhost":
        return "localhost"
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # no name ends in a number
        try:
            return str(ipaddress.IPv4Address(socket.inet_aton(text)))  # which knows `127.1` and hexadecimal as well
        except OSError:
            raise ValueError("the host is not an IPv4 address") from None
    if len(name) > _MAX_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("the host is neither an IP address nor a name")
    return text


def _socket(text: str) -> str:
    """Return the target of a unix socket; a ValueError says what is wrong with it."""
    scheme, _, path = text.partition(":")
    if path.startswith("//"):
        path = path[2:] if path.startswith("///") and scheme == "unix" else ""
    if not path:
        raise ValueError("the path of the socket is missing")
    if not _SOCKET.fullmatch(path):
        raise ValueError("a path has letters, digits and punctuation: write any other character as %20 for a space")
    if len(unquote_to_bytes(path)) > _MAX_SOCKET:
        raise ValueError(f"the path of a socket has at most {_MAX_SOCKET} bytes")
    if "%00" in path:
        raise ValueError("the path of a socket has no zero byte")
    return f"{scheme}:{path}"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
