"""Speak as a running participant: its standard input, and its log for the receipt or the refusal."""

import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from chitty import journal
from chitty.core.errors import InvalidArgument, StackError, TimedOut
from chitty.journal import Record
from chitty.logfile import Growing
from chitty.stack import tail
from chitty.stack.control import Stack
from chitty.stack.members import Member
from chitty.stack.supervisor import Fault, Undelivered

WAIT = 15.0
"""Seconds in which a receipt is expected: a participant that is connecting again needs some."""

MAX_BYTES = 65_536
"""Bytes of UTF-8 of a line: what a pipe holds, so that supervisord never waits for a participant to read."""

_STEP = 0.02
_ASK = 0.25  # seconds between two looks whether it lives


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a message: its broadcast, or why there was none."""

    lamport: int
    sequence: int
    refusal: str = ""


def check(text: str) -> str:
    """Return a text, if it can travel as one line; whether it may be a message is the service's to say.

    Raises:
        InvalidArgument: it has control characters, is not valid Unicode, or is far too long.
    """
    for character in text:
        if unicodedata.category(character) == "Cc" and character != "\t":
            raise InvalidArgument(
                f"the text has the control character U+{ord(character):04X}: a message is one line of plain text"
            )
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"the text is not valid UTF-8 at character {error.start}") from None
    if size >= MAX_BYTES:
        raise InvalidArgument(f"the text has {size} bytes: a message has at most 128 characters")
    return text


def say(stack: Stack, name: str, text: str, wait: float = WAIT) -> Said:
    """Let a participant say a text, verbatim, and return what became of it.

    Raises:
        InvalidArgument: the text cannot be sent.
        NoSuchParticipant: the stack has none of that name.
        StackError: it does not run, is paused, or ended meanwhile.
        TimedOut: neither receipt nor refusal came, so the message may or may not have been published.
    """
    check(text)
    member = stack.members().get(name)
    with stack.speaking(member.slug, wait):
        member = able(stack, name)
        growing = Growing(stack.layout.log(member.slug), at_end=True)
        since = journal.wall_time(time.time())
        try:
            send(stack, member, text)
            return _follow(stack, member, _records(growing, member), text, since, wait)
        finally:
            growing.close()


def able(stack: Stack, name: str) -> Member:
    """Return a participant that reads its standard input.

    Raises:
        StackError: it does not, and why.
    """
    member = stack.members().get(name)
    if member.state == "PAUSED":
        raise StackError(f"{member.name} is paused: `chitty unpause {member.name}` first")
    if not member.runs:
        why = member.reason or member.state
        raise StackError(f"{member.name} does not run: {why}; `chitty restart {member.name}` starts it")
    return member


def send(stack: Stack, member: Member, text: str) -> None:
    """Write a line to a participant's standard input.

    Raises:
        StackError: it has ended just now, or closed its input.
    """
    # Binary, because XML has no way to write some characters that a message may have. A pipe that is full
    # makes supervisord fail although it keeps the line, and writes it later.
    try:
        stack.supervisor.call("sendProcessStdin", member.slug, f"{text}\n".encode())
    except Undelivered:
        return
    except Fault as fault:
        raise StackError(f"{member.name} cannot be told anything any more: {fault}") from None


def _records(growing: Growing, member: Member) -> Iterator[list[Record]]:
    while True:
        found = [tail.read(member.slug, line) for line in growing.read()]
        yield [record for record in found if record is not None]


def _follow(stack: Stack, member: Member, looks: Iterator[list[Record]], text: str, since: str, wait: float) -> Said:
    deadline = time.monotonic() + wait
    asking = time.monotonic() + _ASK
    own = ""
    for records in looks:
        for record in records:
            if not own and record.event == "send" and record.text("op") == "publish" and record.text("text") == text:
                own = record.text("id")
            elif own and record.text("id") == own and record.event in {"ack", "refused"}:
                return _said(record)
            elif not own and record.level == "WARNING" and (why := journal.why_not_said(record.prose, text, since)):
                return Said(0, 0, why)
        if time.monotonic() > deadline:
            raise TimedOut(
                f"no receipt for {member.name} within {wait:g} s: the message may or may not have been published;"
                f" look for it with `chitty logs {member.name}` before you say it again"
            )
        if not records and time.monotonic() > asking:
            asking = time.monotonic() + _ASK
            now = stack.members().find(member.name)
            if now is None or now.pid != member.pid:
                raise StackError(f"{member.name} ended before its receipt: see `chitty logs {member.name}`")
        time.sleep(_STEP)
    raise AssertionError("looks never end")


def _said(record: Record) -> Said:
    if record.event == "refused":
        return Said(int(record.fields["lamport"]), 0, record.text("reason"))
    return Said(int(record.fields["stamped"]), int(record.fields["seq"]))
