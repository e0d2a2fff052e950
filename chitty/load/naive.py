"""A chat server as one would write it first: a queue and a write for each participant and event.

`python -m chitty.load.naive` says on standard output where it listens. It keeps a Lamport clock and one
order, and nothing else of what Chitty-Chat promises: no sessions, no repeats, no limits, no log. It is what
`chitty bench --peer naive` measures Chitty-Chat against, and speaks the same messages.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from chitty.wire import chitty_pb2 as pb

SERVICE = "naive.Chat"


class Chat:
    """Joins as streams of events, publishes as unary calls."""

    def __init__(self) -> None:
        self.time = 0
        self.sequence = 0
        self.queues: list[asyncio.Queue[pb.Event]] = []

    async def join(self, request: pb.JoinRequest, _context: object) -> AsyncIterator[pb.Event]:
        """Serve a participant until its stream ends."""
        queue: asyncio.Queue[pb.Event] = asyncio.Queue()
        self.queues.append(queue)
        self.broadcast(pb.Event.JOINED, request.participant, f"{request.participant} joined", request.lamport)
        try:
            while True:
                yield await queue.get()
        finally:
            self.queues.remove(queue)
            self.broadcast(pb.Event.LEFT, request.participant, f"{request.participant} left", self.time)

    async def publish(self, request: pb.Event, _context: object) -> pb.Receipt:
        """Broadcast a message; return where it stands in the order."""
        event = self.broadcast(pb.Event.PUBLISHED, request.participant, request.text, request.lamport)
        return pb.Receipt(sequence=event.sequence, lamport=event.lamport)

    def broadcast(self, kind: pb.Event.Kind.ValueType, participant: str, text: str, stamped: int) -> pb.Event:
        """Put an event into everybody's queue."""
        self.time = max(self.time, stamped) + 2  # received, then sent
        self.sequence += 1
        event = pb.Event(sequence=self.sequence, lamport=self.time, kind=kind, participant=participant, text=text)
        for queue in self.queues:
            queue.put_nowait(event)
        return event


async def serve() -> None:
    """Serve on a free port of the loopback until the process is ended."""
    chat, server = Chat(), grpc.aio.server()
    calls: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Join": grpc.unary_stream_rpc_method_handler(chat.join, pb.JoinRequest.FromString, pb.Event.SerializeToString),
        "Publish": grpc.unary_unary_rpc_method_handler(chat.publish, pb.Event.FromString, pb.Receipt.SerializeToString),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)  # noqa: T201 - for who started it
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
