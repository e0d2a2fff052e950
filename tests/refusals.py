"""What a call was refused for: its status, the field at fault, when to try again, and the words."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import grpc
import pytest

from chitty.core.errors import Refusal
from chitty.wire import status
from tests.waiting import PATIENCE


async def refused(awaitable: Awaitable[Any]) -> Refusal:
    """Wait for a call that is to be refused.

    Raises:
        AssertionError: it was not, or not in time.
    """
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(awaitable, PATIENCE)
    error = caught.value
    refusal = status.refusal(error.code(), error.details(), error.trailing_metadata())
    assert refusal.status == error.code().name, f"no status of the service's own: {error}"
    return refusal


async def read_on(stream: Any) -> None:
    """Read a stream to its end."""
    while await stream.read() is not grpc.aio.EOF:
        pass


async def status_of(awaitable: Awaitable[Any]) -> str:
    """Return the name of the status that a call ends with."""
    try:
        await awaitable
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"
