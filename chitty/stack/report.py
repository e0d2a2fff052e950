"""A stack's status as text for people and as JSON for programs."""

import json
from collections.abc import Sequence

from chitty.core.errors import StackError
from chitty.journal import escape
from chitty.stack import members
from chitty.stack.control import Stack
from chitty.stack.layout import SERVER
from chitty.stack.members import Member, Members
from chitty.terminal import colour_of, columns, pad, paint

_HEAD = ("NAME", "KIND", "STATE", "PID", "JOINED", "LAMPORT", "REASON")
_STYLES = {"RUNNING": "32", "STARTING": "33", "PAUSED": "33", "STOPPING": "33", "STOPPED": "2"}
_STATE = 2  # column


def as_json(stack: Stack, now: Members | None) -> str:
    """Return the status as JSON; of a stack that does not run, that."""
    server = now.server if now else members.Server("STOPPED")
    return json.dumps(
        {
            "server": {
                "state": server.state,
                "pid": server.pid,
                "address": server.address,
                "health": server.health,
                "trouble": server.trouble,
            },
            "participants": [
                {
                    "name": one.name,
                    "kind": one.kind,
                    "state": one.state,
                    "pid": one.pid,
                    "joined": one.joined,
                    "lamport": members.lamport(stack.layout.log(one.slug)),
                    "reason": _reason(one),
                }
                for one in (now.participants if now else [])
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def as_table(stack: Stack, now: Members, *, colour: bool) -> str:
    """Return the status as a table, the server first, and who left in one line below."""
    server = now.server
    rows = [_HEAD, (SERVER, "server", server.state, _text(server.pid), "", _time(stack, SERVER), _service(now))]
    rows += [
        (
            escape(one.name),
            one.kind,
            one.state,
            _text(one.pid),
            "yes" if one.joined else "no",
            _time(stack, one.slug),
            escape(_reason(one)),
        )
        for one in now.present()
    ]
    gone = [escape(one.name) for one in now.participants if one.left]
    table = _align(rows, colour=colour)
    return table if not gone else f"{table}\nleft: {', '.join(gone)}"


def summary(now: Members) -> str:
    """Return in one line where the server is and who has joined."""
    joined = [one.name for one in now.present() if one.joined]
    count = f"{len(joined)} participant{'' if len(joined) == 1 else 's'} joined"
    return f"server {now.server.address}, {count}{': ' if joined else ''}{', '.join(joined)}"


def address(now: Members) -> str:
    """Return where the server serves.

    Raises:
        StackError: it does not.
    """
    if not now.server.serving or not now.server.address:
        raise StackError(f"the server does not serve ({now.server.state}): see `chitty doctor`")
    return now.server.address


def _reason(one: Member) -> str:
    return f"refused: {one.refused}" if one.refused else one.reason


def _service(now: Members) -> str:
    server = now.server
    where = f"{server.health} at {server.address}" if server.address else (server.failed or server.reason)
    return escape(f"{where}; takes nothing new: {server.trouble}" if server.trouble else where)


def _time(stack: Stack, slug: str) -> str:
    return _text(members.lamport(stack.layout.log(slug)))


def _text(value: int | None) -> str:
    return "-" if value is None else str(value)


def _align(rows: Sequence[tuple[str, ...]], *, colour: bool) -> str:
    widths = [max(columns(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(_row(row, widths, colour=colour and row is not _HEAD) for row in rows)


def _row(row: tuple[str, ...], widths: Sequence[int], *, colour: bool) -> str:
    cells = [pad(cell, width) for cell, width in zip(row, widths, strict=True)]
    cells[-1] = row[-1]
    if colour:
        cells[0] = paint(cells[0], colour_of(row[0]))
        cells[_STATE] = paint(cells[_STATE], _STYLES.get(row[_STATE], "31"))
    return "  ".join(cells).rstrip()
