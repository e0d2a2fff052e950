"""Commands as bytes of a log (MessagePack), with the version of the rules that they were meant for."""

from collections.abc import Sequence
from typing import Any

import msgspec

from chitty.core.errors import StorageFailed
from chitty.core.event import (
    RULES,
    Command,
    Configure,
    Detect,
    Join,
    Leave,
    Limits,
    Message,
    Publish,
    Reason,
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, list[Any]])


def encode(commands: Sequence[Command]) -> bytes:
    """Return commands as bytes that `decode` reads back to the same."""
    return _encoder.encode((RULES, [_plain(command) for command in commands]))


def decode(data: bytes) -> tuple[Command, ...]:
    """Return the commands that `encode` wrote.

    Raises:
        StorageFailed: they are none, or were meant for later rules than these.
    """
    try:
        rules, plain = _decoder.decode(data)
        if rules > RULES:
            raise StorageFailed(f"the log has commands for rules {rules}, and this version keeps rules {RULES}")
        return tuple(_command(values) for values in plain)
    except (msgspec.DecodeError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise StorageFailed(f"the log has a batch that is no commands: {error}") from None


def _plain(command: Command) -> tuple[Any, ...]:
    match command:
        case Publish(incarnation, messages, wall):
            said = [(message.number, message.stamped, message.text) for message in messages]
            return ("publish", incarnation, said, wall)
        case Join(incarnation, name, key, number, stamped, wall):
            return ("join", incarnation, name, key, number, stamped, wall)
        case Leave(incarnation, number, stamped, wall):
            return ("leave", incarnation, number, stamped, wall)
        case Detect(incarnation, joined, connection, reason, wall):
            return ("detect", incarnation, joined, connection, reason.value, wall)
        case Configure(limits, wall):
            return ("configure", msgspec.to_builtins(limits), wall)


def _command(values: Sequence[Any]) -> Command:
    kind, *rest = values
    match kind:
        case "publish":
            incarnation, said, wall = rest
            return Publish(incarnation, tuple(Message(*message) for message in said), wall)
        case "join":
            return Join(*rest)
        case "leave":
            return Leave(*rest)
        case "detect":
            incarnation, joined, connection, reason, wall = rest
            return Detect(incarnation, joined, connection, Reason(reason), wall)
        case "configure":
            limits, wall = rest
            return Configure(Limits(**limits), wall)
    raise ValueError(f"a command of kind {kind!r}")
