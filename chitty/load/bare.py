"""gRPC by itself: a server whose streams carry bytes and mean nothing.

`python -m chitty.load.bare` says on standard output where it listens. What a stream, a write and a read cost
here, nothing that is written in Python with grpc.aio can do for less.
"""

import asyncio

import grpc

SERVICE = "bare.Bare"


async def stream(request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
    """Write as many messages of a size as the request says, `COUNT SIZE`; then stay open."""
    count, size = map(int, request.split())
    piece = b"." * size
    for _ in range(count):
        await context.write(piece)
    await asyncio.Event().wait()


async def serve() -> None:
    """Serve on a free port of the loopback until the process is ended."""
    server = grpc.aio.server()
    calls: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Stream": grpc.unary_stream_rpc_method_handler(stream)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)  # noqa: T201 - for who started it
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
