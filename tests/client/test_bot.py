"""Bots: how they are called, and what ends them."""

import asyncio
import functools

import pytest

import chitty
from chitty import resources, settings
from chitty.client import bot
from chitty.client.__main__ import Client
from chitty.core.errors import SettingsError
from chitty.settings import Program
from tests.services import serving
from tests.takeover import take_over
from tests.waiting import PATIENCE, eventually_async

called: list[object] = []


async def alone(me):
    called.append((me,))


async def by_position(me, settings):
    called.append((me, settings))


async def by_keyword(me, *, settings):
    called.append((me, settings))


async def with_a_default(me, *, settings=None):
    called.append((me, settings))


async def with_anything(me, **others):
    called.append((me, others["settings"]))


async def with_an_option(me, *, often=3):
    called.append((me,))


partial = functools.partial(by_keyword)


async def without_a_participant():
    raise AssertionError


async def with_too_much(me, settings, more):
    raise AssertionError


async def with_another_keyword(me, *, options):
    raise AssertionError


async def forever(me):
    called.append(me)
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def fresh():
    called.clear()


@pytest.mark.parametrize(
    ("function", "gets"),
    [
        ("alone", ("me",)),
        ("by_position", ("me", "settings")),
        ("by_keyword", ("me", "settings")),
        ("with_a_default", ("me", "settings")),
        ("with_anything", ("me", "settings")),
        ("with_an_option", ("me",)),
        ("partial", ("me", "settings")),
    ],
)
async def test_a_bot_gets_the_settings_the_way_it_takes_them(function, gets):
    await bot.run(bot.load(f"{__name__}:{function}"), "me", "settings")
    assert called == [gets]


@pytest.mark.parametrize("function", ["without_a_participant", "with_too_much", "with_another_keyword"])
def test_a_bot_that_cannot_be_called_is_refused_when_it_is_loaded(function):
    with pytest.raises(SettingsError, match=rf"bot '.*:{function}' takes \(.*\): write `async def {function}\(me\)`"):
        bot.load(f"{__name__}:{function}")


@pytest.mark.parametrize("kind", ["bot", "human"])
async def test_a_participant_whose_session_was_ended_ends_although_it_waits_for_something_else(tmp_path, kind):
    defaults = settings.read(resources.path("conf/chitty.yaml"))
    async with serving() as service:
        program = Program(
            name="alice",
            kind=kind,
            run=f"{__name__}:forever",
            bot=defaults.bot,
            keepalive=defaults.server.keepalive,
            server=service.address,
        )
        client = Client(program, tmp_path / "ready" / "alice")
        running = asyncio.create_task(client.run())
        await eventually_async(lambda: client._session is not None and client._session.joined)
        await take_over(client._session, service.address)
        with pytest.raises(chitty.TakenOver):
            await asyncio.wait_for(running, PATIENCE)
