"""The service as a whole, from listening to drained: one server, one replica, health and reflection.

Knows no process: chitty.server.__main__ runs it as one.
"""

import asyncio
import logging
import os

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chitty import __version__, process
from chitty.core import steps
from chitty.core.hub import Hub, Limits
from chitty.journal import HUB
from chitty.sequencer.memory import MemorySequencer
from chitty.server.admission import Admission
from chitty.server.fanout import Fanout
from chitty.server.listening import listen
from chitty.server.replica import Replica
from chitty.server.servicer import SERVICE, Servicer
from chitty.settings import Server

_logger = logging.getLogger(f"chitty.{HUB}")


class Service:
    """The service, from listening to drained; `secret` is what whoever joins must know, empty for nothing.

    Attributes:
        address: `host:port` that it listens on, once started.
        applying: the task that applies the ordered log; when it ends by itself the service is broken.
    """

    def __init__(self, options: Server, secret: str = "") -> None:
        self._options = options
        self._secret = secret
        sequencer = MemorySequencer()
        self._journal = process.Journal(HUB, sequencer.epoch)
        self._fanout = Fanout(options.window.events, options.window.bytes)
        hub = Hub(Limits(participants=options.limits.participants))
        self._replica = Replica(hub, sequencer, self._fanout, self._journal)
        admission = Admission(secret, named=bool(options.tls.client_ca), member=hub.member)
        self._servicer = Servicer(self._replica, self._fanout, options.limits, _logger, admission)
        self._server = grpc.aio.server(options=_arguments(options))
        self._health = health.aio.HealthServicer()
        self._stopping = False
        self.epoch = sequencer.epoch
        self.address = ""

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            CannotListen: the address cannot be bound, or it would let strangers in.
            SettingsError: a certificate or key is not usable.
        """
        self._server.add_generic_rpc_handlers((self._servicer.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self.address = listen(self._server, self._options, self._secret, _logger)
        self._journal.write([steps.Start(self._replica.hub.time, "", os.getpid(), __version__, self.epoch)])
        self.applying = asyncio.create_task(self._replica.run())
        await self._server.start()
        for service in ("", SERVICE):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        _logger.info("listening on %s", self.address)

    async def stop(self, reason: str) -> None:
        """Drain: turn callers away, end the streams, apply what was accepted. Does nothing twice."""
        if self._stopping:
            return
        self._stopping = True
        await self._health.enter_graceful_shutdown()
        self._servicer.drain()
        await self._server.stop(self._options.drain)
        self._replica.close()
        await self.applying
        self._journal.write([steps.End(self._replica.hub.time, reason)])


def _arguments(options: Server) -> list[tuple[str, int]]:
    """Return the channel arguments; a misspelt one would be ignored without a word."""
    interval, timeout = (int(1000 * seconds) for seconds in (options.keepalive.interval, options.keepalive.timeout))
    return [
        ("grpc.keepalive_time_ms", interval),
        ("grpc.keepalive_timeout_ms", timeout),
        ("grpc.http2.ping_timeout_ms", timeout),  # keepalive_timeout_ms alone notices only after a minute
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", interval // 2),
        ("grpc.so_reuseport", 0),  # else a second server binds the same port without an error
        ("grpc.max_metadata_size", options.limits.metadata_bytes),
        ("grpc.max_receive_message_length", options.limits.request_bytes),
        ("grpc.server_handshake_timeout_ms", 10_000),
    ]
