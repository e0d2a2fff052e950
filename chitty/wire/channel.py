"""The one place where gRPC channels are made: the environment does not decide where they lead. Makes no call."""

from collections.abc import Iterable

import grpc

DIRECT: tuple[tuple[str, int | str], ...] = (
    ("grpc.enable_http_proxy", 0),  # of grpc_proxy, https_proxy and http_proxy
    ("grpc.address_http_proxy_enabled_addresses", ""),  # of GRPC_ADDRESS_HTTP_PROXY, which the first leaves on
)
"""Channel arguments that keep a proxy out: gRPC uses one for the loopback too, and it reads secrets and sessions."""


def make_channel(
    target: str, options: Iterable[tuple[str, int | str]] = (), credentials: grpc.ChannelCredentials | None = None
) -> grpc.aio.Channel:
    """Return a channel that connects to `target` directly, by TLS if it has credentials."""
    arguments = [*options, *DIRECT]
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=arguments)  # noqa: TID251 - the one place
    return grpc.aio.secure_channel(target, credentials, options=arguments)  # noqa: TID251 - likewise
