"""What the parts cost: `python -m chitty.load.probe ADDRESS` asks a bare server, and this processor.

Its orders, by `do`:
    read    count, size: read a stream of so many messages, and tell the seconds it took
    hold    count: open so many streams, and keep them
    parse   events: tell the microseconds that an event costs to parse, to encode and to write as a log line
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chitty import output
from chitty.core import steps
from chitty.core.event import Event, Kind
from chitty.load import bare, message
from chitty.load.orders import Order, answer, orders
from chitty.wire import chitty_pb2 as pb
from chitty.wire import convert
from chitty.wire.channel import make_channel

if TYPE_CHECKING:
    import grpc

_STREAM = f"/{bare.SERVICE}/Stream"
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
_TIMES = 20


class Probe:
    """Carries orders out."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._held: list[tuple[grpc.aio.Channel, Any]] = []

    async def obey(self, order: Order) -> dict[str, Any]:
        """Carry an order out, and return what is to be answered."""
        match order["do"]:
            case "read":
                return {"seconds": await self._read(order["count"], order["size"])}
            case "hold":
                for _ in range(order["count"]):
                    await self._open(1, 1)
                return {}
            case _:
                return _costs(order["events"])

    async def _open(self, count: int, size: int) -> Any:
        """Open a stream on a connection of its own, and read its first message."""
        channel = make_channel(self._address, _OPTIONS)
        stream: Any = channel.unary_stream(_STREAM)
        pieces = aiter(stream(f"{count} {size}".encode()))
        await anext(pieces)
        self._held.append((channel, pieces))
        return pieces

    async def _read(self, count: int, size: int) -> float:
        pieces = await self._open(count, size)
        began = time.monotonic()
        for _ in range(count - 1):
            await anext(pieces)
        return time.monotonic() - began


def _costs(count: int) -> dict[str, float]:
    events = [
        Event(10_000 + n, 30_000 + 2 * n, Kind.PUBLISHED, "p1", message.text(), f"0123456789abcdef.{n}")
        for n in range(count)
    ]
    frames = [convert.frame(event) for event in events]
    together = b"".join(frames)
    delivered = [steps.Deliver(event.lamport + 1, "0123abcd", event) for event in events]
    journal = output.Journal("probe")
    output.log_to(os.open(os.devnull, os.O_WRONLY), "probe")
    return {
        "parse": _microseconds(lambda: pb.JoinResponse.FromString(together)) / count,
        "parse_alone": _microseconds(lambda: [pb.JoinResponse.FromString(frame) for frame in frames]) / count,
        "encode": _microseconds(lambda: [convert.frame(event) for event in events]) / count,
        "line": _microseconds(lambda: journal.write(delivered)) / count,
        "size": len(together) / count,
    }


def _microseconds(work: Callable[[], object]) -> float:
    """Return what a piece of work takes, at its quickest."""
    quickest = float("inf")
    for _ in range(_TIMES):
        began = time.perf_counter()
        work()
        quickest = min(quickest, time.perf_counter() - began)
    return 1e6 * quickest


async def main(address: str) -> None:
    """Carry orders out until standard input ends."""
    probe = Probe(address)
    async for order in orders():
        answer(**await probe.obey(order))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
