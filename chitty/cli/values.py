"""The types of what a command is given: names of participants, how many of them, addresses, signals."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from chitty.core import errors

if TYPE_CHECKING:
    import signal

    from click.shell_completion import CompletionItem


class Name(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """A participant's name, normalised; with `server` for the server's, where a command takes it."""

    name = "name"

    def __init__(self, *, server: bool = False, running: bool = False) -> None:
        self._server = server
        self._running = running

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name in NFC."""
        from chitty.core import names

        if self._server and names.fold(value) in {"server", "hub"}:  # the hub is what the logs call it
            return "server"
        try:
            return names.normalise(value)
        except errors.InvalidArgument as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, _param: click.Parameter, incomplete: str) -> list["CompletionItem"]:
        """Return the names of the stack that begin so."""
        from click.shell_completion import CompletionItem

        from chitty.stack import completion

        every = completion.targets if self._server else completion.known
        source = completion.running if self._running else every
        return [CompletionItem(name) for name in source(_directory(ctx), incomplete)]


class Clients(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """How many participants, or their names."""

    name = "N or a,b,c"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number, or a tuple of names."""
        from chitty.core import names

        if isinstance(value, int | tuple):
            return value
        if value.strip().isascii() and value.strip().isdigit():
            return int(value)
        found = tuple(Name().convert(part.strip(), param, ctx) for part in value.split(","))
        if len({names.fold(name) for name in found}) < len(found):
            self.fail(f"{value!r} names somebody twice", param, ctx)
        return found


class Address(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """Where a service is called."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address as it was given."""
        from chitty.wire import address

        try:
            address.parse(value)
        except errors.InvalidArgument as error:
            self.fail(str(error), param, ctx)
        return str(value)


class Signal(click.ParamType):  # type: ignore[type-arg] # generic since click 8.5 only
    """A signal by name, with or without SIG, or by number."""

    name = "signal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "signal.Signals":
        """Return the signal."""
        import signal

        if isinstance(value, signal.Signals):
            return value
        try:
            if value.isdigit():
                return signal.Signals(int(value))
            return signal.Signals[f"SIG{value.upper().removeprefix('SIG')}"]
        except (KeyError, ValueError):
            self.fail(f"{value!r} is no signal: give one such as KILL, TERM or 9", param, ctx)


def once(found: Sequence[str]) -> list[str]:
    """Return the names without repetition; of several spellings the last stays."""
    from chitty.core import names

    return list({names.fold(name): name for name in found}.values())


def _directory(ctx: click.Context) -> str:
    return str(ctx.find_root().params.get("directory") or os.environ.get("CHITTY_DIR") or ".chitty")
