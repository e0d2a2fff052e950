"""Bots: the one that comes with the service, and how one of a user's own is found.

A bot is a coroutine function `bot(me)` or `bot(me, settings)`: `me` is a joined Session, `settings` the bot
section of the settings, and may be keyword-only. When it returns the participant leaves.
"""

import asyncio
import contextlib
import inspect
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from chitty.client.importing import import_from
from chitty.client.session import Session
from chitty.core.errors import Refusal, SettingsError, Unacknowledged
from chitty.settings import Bot

BotFunction = Callable[..., Coroutine[Any, Any, None]]


async def chatter(me: Session, settings: Bot) -> None:
    """Say a phrase now and then: intervals are exponential, as of a Poisson process of `settings.rate`.

    With a seed, what this participant says and when is the same in every run.
    """
    me.drop_events()
    chance = random.Random(f"{settings.seed}:{me.name}" if settings.seed is not None else None)  # noqa: S311 - no secret
    while True:
        await asyncio.sleep(chance.expovariate(settings.rate))
        try:
            await me.publish(chance.choice(settings.phrases))
        except (Refusal, Unacknowledged):
            continue  # it is in the log; the next phrase may do better


def load(spec: str, path: Sequence[str] = ()) -> BotFunction:
    """Return the bot that `package.module:function` names; the folders of `path` are searched first.

    Raises:
        SettingsError: there is none; the text says at which part the search ended.
    """
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise SettingsError(f"bot {spec!r} is not of the form package.module:function")
    try:
        module = import_from(module_name, path)
    except Exception as error:
        raise SettingsError(f"bot {spec!r}: cannot import {module_name!r}: {type(error).__name__}: {error}") from error
    bot = getattr(module, attribute, None)
    if bot is None:
        raise SettingsError(f"bot {spec!r}: module {module_name!r} has no {attribute!r}")
    if not inspect.iscoroutinefunction(bot):
        raise SettingsError(f"bot {spec!r} is not a coroutine function: write `async def {attribute}(me): ...`")
    if _arguments(bot, None, None) is None:
        raise SettingsError(
            f"bot {spec!r} takes {inspect.signature(bot)}: write `async def {attribute}(me)`, or (me, settings)"
        )
    return bot  # type: ignore[no-any-return] # a coroutine function, as has been asked


async def run(bot: BotFunction, me: Session, settings: Bot) -> None:
    """Let a bot act for a participant, with the settings if it takes them, by position or by keyword."""
    bound = _arguments(bot, me, settings)
    assert bound is not None  # as `load` has made sure
    await bot(*bound.args, **bound.kwargs)


def _arguments(bot: BotFunction, me: Session | None, settings: Bot | None) -> inspect.BoundArguments | None:
    """Return how a bot is to be called, None if it cannot be."""
    signature = inspect.signature(bot)
    by_keyword: dict[str, object] = {"settings": settings}
    ways: list[tuple[tuple[object, ...], dict[str, object]]] = [((me, settings), {}), ((me,), by_keyword), ((me,), {})]
    for positional, named in ways:
        with contextlib.suppress(TypeError):
            return signature.bind(*positional, **named)
    return None
