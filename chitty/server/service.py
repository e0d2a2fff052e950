"""The service as a whole, from listening to drained: one server, one replica, health and reflection.

Knows no process: chitty.server.__main__ runs it as one.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chitty import output
from chitty.core import steps
from chitty.core.event import Limits
from chitty.core.hub import Member
from chitty.journal import HUB
from chitty.sequencer import Sequencer
from chitty.sequencer.memory import MemorySequencer
from chitty.sequencer.sqlite import SqliteSequencer
from chitty.server.admission import Admission
from chitty.server.fanout import Fanout
from chitty.server.history import History
from chitty.server.listening import listen
from chitty.server.replica import Replica
from chitty.server.servicer import SERVICE, Servicer
from chitty.settings import Server

_STAYS = 64
"""Receipts that are remembered beside those of messages: of the Joins of one that is lost again and again."""

_logger = logging.getLogger(f"chitty.{HUB}")


def _without_traceback(record: logging.LogRecord) -> bool:
    """Make one line of gRPC's complaint that a call ended beneath the service; the traceback is gRPC's own."""
    if record.exc_info and record.exc_info[0] is not None and record.exc_info[0].__name__ == "ExecuteBatchError":
        record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
        record.msg, record.args = "a call was ended by gRPC: its request was too large, or its peer is gone", ()
    return True


logging.getLogger("grpc._cython.cygrpc").addFilter(_without_traceback)


class Service:
    """The service, from listening to drained.

    Attributes:
        address: `host:port` that it listens on, once started.
        applying: the task that applies the ordered log; when it ends by itself the service is broken.

    Args:
        troubled: called when the ordered log cannot be written, with why, and with nothing once it can again.
        secret: what whoever joins must know, empty for nothing.
        earlier: the port of an earlier life, to be taken again where any will do.

    Raises:
        StorageFailed: the database cannot be used.
    """

    def __init__(
        self, options: Server, troubled: Callable[[str], None] = lambda _: None, secret: str = "", earlier: int = 0
    ) -> None:
        self._options = options
        self._secret = secret
        self._earlier = earlier
        self._on_trouble = troubled
        self._sequencer = sequencer = _sequencer(options)
        self._journal = output.Journal(HUB, sequencer.epoch)
        self._fanout = Fanout(options.window.events, options.window.bytes, History(sequencer))
        self._replica = Replica(
            sequencer,
            self._fanout,
            self._journal,
            options.database.snapshot_every,
            options.grace,
            troubled=self._note_trouble,
        )
        admission = Admission(secret, named=bool(options.tls.client_ca), member=self._member)
        self._servicer = Servicer(self._replica, self._fanout, options, _logger, admission)
        self._server = grpc.aio.server(options=_arguments(options))
        self._health = health.aio.HealthServicer()
        self._stopping = False
        self.epoch = sequencer.epoch
        self.address = ""

    async def start(self) -> None:
        """Take up where the ordered log ends, listen and serve.

        Raises:
            CannotListen: the address cannot be bound, or it would let strangers in.
            SettingsError: a certificate or key is not usable.
            StorageFailed: the database cannot be read.
        """
        try:
            await self._start()
        except BaseException:
            await self._sequencer.close()  # nothing was at risk: the next start is to know that
            raise

    async def _start(self) -> None:
        self._server.add_generic_rpc_handlers((self._servicer.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self.address = listen(self._server, self._options, self._secret, _logger, self._earlier)
        self._replica.recover()
        limits = self._options.limits
        self._replica.configure(Limits(participants=limits.participants, receipts=limits.receipts + _STAYS))
        self.applying = asyncio.create_task(self._replica.run())
        await self._server.start()
        self._servicer.await_members()
        self._watching = asyncio.create_task(self._watch())
        self._watching.add_done_callback(_note_failure)
        for service in ("", SERVICE):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        _logger.info("listening on %s", self.address)

    async def stop(self, reason: str) -> None:
        """Drain: turn callers away, end the streams, apply what was accepted. Does nothing twice."""
        if self._stopping:
            return
        self._stopping = True
        self._watching.cancel()
        await self._health.enter_graceful_shutdown()
        self._servicer.drain()
        stopping = asyncio.create_task(self._server.stop(self._options.drain))
        done, _ = await asyncio.wait({stopping}, timeout=self._options.drain / 2)
        if not done:
            self._fanout.cut_all()
        await stopping
        self._replica.close()
        await self.applying
        self._journal.write([steps.End(self._replica.hub.time, reason)])

    async def _watch(self) -> None:
        """Look now and then after those who lag, and forget what need not be known any more."""
        lag = self._options.lag
        while True:
            await asyncio.sleep(min(1.0, lag.seconds / 4))
            now = asyncio.get_running_loop().time()
            self._fanout.cut_stalled(lag.events, lag.seconds, now)
            self._servicer.rates.forget(now)

    def _member(self, incarnation: str) -> Member | None:
        return self._replica.hub.member(incarnation)  # a recovery makes the hub anew

    def _note_trouble(self, trouble: str) -> None:
        if trouble:
            _logger.error("the ordered log takes nothing: %s", trouble)
        else:
            _logger.info("the ordered log takes commands again")
        self._on_trouble(trouble)


def _note_failure(task: asyncio.Task[None]) -> None:
    """Say it when what goes on beside the calls has failed; the service goes on without it."""
    if not task.cancelled() and task.exception() is not None:
        _logger.error("nobody looks after those who lag any more", exc_info=task.exception())


def _sequencer(options: Server) -> Sequencer:
    if options.sequencer == "memory":
        return MemorySequencer()
    sequencer = SqliteSequencer(Path(options.database.path), options.database)
    if sequencer.doubt:
        _logger.warning("%s", sequencer.doubt)
    return sequencer


def _arguments(options: Server) -> list[tuple[str, int]]:
    """Return the channel arguments; a misspelt one would be ignored without a word."""
    interval, timeout = (int(1000 * seconds) for seconds in (options.keepalive.interval, options.keepalive.timeout))
    return [
        ("grpc.keepalive_time_ms", interval),
        ("grpc.keepalive_timeout_ms", timeout),
        ("grpc.http2.ping_timeout_ms", timeout),  # keepalive_timeout_ms alone notices only after a minute
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        # the library asks every 20 s unless it is told otherwise, and may
        ("grpc.http2.min_ping_interval_without_data_ms", min(interval // 2, 10_000)),
        ("grpc.so_reuseport", 0),  # else a second server binds the same port without an error
        ("grpc.max_metadata_size", options.limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", options.limits.metadata_bytes),  # between the two chance decides
        ("grpc.max_receive_message_length", options.limits.request_bytes),
        ("grpc.server_handshake_timeout_ms", int(1000 * options.limits.handshake)),
    ]
