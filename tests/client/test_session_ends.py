"""Nothing hangs: whatever happens to the connection, the service and the inbox, everything that waits ends.

Hypothesis makes up what happens to a session between its join and its leave. Nothing is mended at the end: the service
may be gone or silent. Real parts: the library, a service in this process, and a proxy between them.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import chitty
from chitty.client import inbox
from chitty.client import session as session_module
from chitty.server.service import Service
from tests.proxies import DOWN, UP, Proxy, proxying
from tests.services import options
from tests.takeover import take_over
from tests.waiting import PATIENCE

CAPACITY = 8
SHORT = 0.4  # seconds of the session's patience
LIMITS = {"limits__messages_per_second": 200.0, "grace": 0.1, "lag__seconds": 0.2}

EXAMPLES = settings.default.max_examples // 3  # each takes a second
pytestmark = pytest.mark.timeout(300 if EXAMPLES <= 20 else 0)


class World:
    """A session, and everything that can happen to it; each method but the last is a step."""

    def __init__(self, service: Service, proxy: Proxy) -> None:
        self._service: Service | None = service
        self._proxy = proxy
        self._port = int(service.address.rpartition(":")[2])
        self.alice = chitty.join("alice", proxy.address, patience=SHORT)
        self.publishing: list[asyncio.Task[Any]] = []
        self.lasting: list[asyncio.Task[Any]] = []

    async def publish(self) -> None:
        self._publish("hello")

    async def fill(self) -> None:
        """Say more than the inbox takes."""
        for _ in range(3 * CAPACITY):
            self._publish("again")

    async def overrun(self) -> None:
        """Say more than the service takes at once."""
        for _ in range(300):
            self._publish("quick")

    async def give_up_publishing(self) -> None:
        task = self._publish("never mind")
        await asyncio.sleep(0)
        task.cancel()

    async def take(self) -> None:
        self._start(anext(self.alice))

    async def iterate(self) -> None:
        self._start(self._iterate())

    async def wait_for_the_end(self) -> None:
        self._start(self.alice.ended())

    async def drop_events(self) -> None:
        self.alice.drop_events()

    async def leave(self) -> None:
        self._start(self.alice.leave())

    async def give_up_leaving(self) -> None:
        task = self._start(self.alice.leave())
        await asyncio.sleep(0)
        task.cancel()

    async def abandon(self) -> None:
        self._start(self.alice.abandon())

    async def cut(self) -> None:
        self._proxy.cut()

    async def shut_out(self) -> None:
        self._proxy.closed = True
        self._proxy.cut()

    async def let_in(self) -> None:
        self._proxy.closed = False

    async def silence(self) -> None:
        self._proxy.dropped = {UP, DOWN}

    async def heal(self) -> None:
        self._proxy.dropped = set()
        self._proxy.cut()

    async def stop(self) -> None:
        if self._service is not None:
            service, self._service = self._service, None
            await service.stop("the test says so")

    async def restart(self) -> None:
        """Begin a new order."""
        await self.stop()
        self._service = Service(options(port=self._port, **LIMITS))
        await self._service.start()

    async def expel(self) -> None:
        """Let the membership be taken over, which ends the session for good."""
        if self._service is not None:
            await take_over(self.alice, self._service.address, PATIENCE)

    async def pass_time(self) -> None:
        await asyncio.sleep(0.1)

    def _publish(self, text: str) -> asyncio.Task[Any]:
        self.publishing.append(asyncio.create_task(self.alice.publish(text)))
        return self.publishing[-1]

    def _start(self, awaitable: Awaitable[Any]) -> asyncio.Task[Any]:
        async def run() -> None:
            with contextlib.suppress(StopAsyncIteration):
                await awaitable

        self.lasting.append(asyncio.create_task(run()))
        return self.lasting[-1]

    async def _iterate(self) -> None:
        while True:
            try:
                async for _ in self.alice:
                    pass
            except chitty.EventsDropped as gap:
                if "missing" in str(gap):
                    continue
                raise
            return

    async def __aenter__(self) -> Self:
        await self.alice.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in (*self.publishing, *self.lasting):
            task.cancel()
        await self.alice.abandon()
        await self.stop()


STEPS = [name for name, step in vars(World).items() if asyncio.iscoroutinefunction(step) and not name.startswith("_")]


async def ends(what: str, waiting: list[asyncio.Task[Any]]) -> None:
    """Wait for tasks that must end, with a public error if with one."""
    if not waiting:
        return
    _, pending = await asyncio.wait(waiting, timeout=PATIENCE)
    assert not pending, f"{what}: {len(pending)} of {len(waiting)} wait for ever: {pending}"
    for task in waiting:
        error = None if task.cancelled() else task.exception()
        assert error is None or type(error).__name__ in chitty.__all__, f"{what}: {error!r} is no public error"
        assert error is None or "None" not in str(error)


async def live(steps: list[str]) -> None:
    service = Service(options(**LIMITS))
    await service.start()
    async with proxying(service.address) as proxy, World(service, proxy) as world:
        for step in steps:
            await asyncio.wait_for(getattr(world, step)(), PATIENCE)
        await ends("publishing", world.publishing)
        await ends("leaving", [asyncio.create_task(world.alice.leave())])
        await world.iterate()
        await ends("iterating and the like", world.lasting)
        assert not world.alice.joined


@settings(max_examples=EXAMPLES)
@example(["fill", "restart", "pass_time", "publish"])
@example(["fill", "stop", "publish", "pass_time", "publish"])
@example(["fill", "expel", "publish", "iterate"])
@example(["fill", "silence", "publish", "iterate"])
@example(["take", "take", "drop_events", "leave", "leave"])
@example(["silence", "leave", "abandon", "leave"])
@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_every_publish_leave_and_iteration_ends(steps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "CAPACITY", CAPACITY)
        patch.setattr(session_module, "LEAVE_SECONDS", 0.5)
        patch.setattr(session_module, "RESUME_SECONDS", 0.2)
        asyncio.run(live(steps))
