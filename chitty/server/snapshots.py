"""A hub's state as the bytes of a snapshot, and back. Knows no log and no file."""

from typing import Any

import msgspec

from chitty.core.errors import StorageFailed
from chitty.core.event import RULES, Limits, Receipt
from chitty.core.hub import Member, State

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, dict[str, Any]])


def encode(state: State) -> bytes:
    """Return a state as bytes, with the version of the rules that made it; in any thread."""
    plain = {
        "limits": msgspec.to_builtins(state.limits),
        "time": state.time,
        "sequence": state.sequence,
        "members": [msgspec.to_builtins(member) for member in state.members],
        "joins": _row(state.joins),
        "ledgers": {incarnation: (highest, _row(kept)) for incarnation, (highest, kept) in state.ledgers.items()},
        "departed": state.departed,
    }
    return _encoder.encode((RULES, plain))


def decode(data: bytes) -> State:
    """Return the state that `encode` wrote.

    Raises:
        StorageFailed: the bytes are none, or of later rules than these.
    """
    try:
        rules, plain = _decoder.decode(data)
        if rules > RULES:
            raise StorageFailed(f"a snapshot was made by rules {rules}, and this version keeps rules {RULES}")
        return State(
            Limits(**plain["limits"]),
            plain["time"],
            plain["sequence"],
            tuple(Member(**member) for member in plain["members"]),
            _receipts(plain["joins"]),
            {incarnation: (highest, _receipts(row)) for incarnation, (highest, row) in plain["ledgers"].items()},
            tuple(plain["departed"]),
        )
    except (msgspec.DecodeError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise StorageFailed(f"a snapshot is no state of a hub: {error}") from None


def _row(receipts: tuple[Receipt, ...]) -> list[int]:
    """Return receipts as numbers in a row, which is a third of what they would be by name."""
    row: list[int] = []
    for receipt in receipts:
        row += (receipt.number, receipt.sequence, receipt.lamport)
    return row


def _receipts(row: list[int]) -> tuple[Receipt, ...]:
    return tuple(Receipt(*triple) for triple in zip(row[::3], row[1::3], row[2::3], strict=True))
