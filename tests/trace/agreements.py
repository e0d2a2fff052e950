"""What each field of each line must agree with, and why a mutant may survive: the table of docs/checking.md.

The fields are the journal's: a test fails for one that has no row here, and for a row that has no field.
"""

from fnmatch import fnmatchcase

ALONE = "nothing: it is written here only"

HEAD = {
    "wall": "nothing: clocks of machines differ, and are for people",
    "level": "nothing: it is for people",
    "process": "the other lines of the log; an event of another process is not believed, and so is missing",
    "event": "the fields, and whose log it is",
    "lamport": "the line before it, and `stamped`",
    "n": "the line before it",
}

AGREES = {
    "start": {
        **HEAD,
        "lamport": "0; in a restarted hub, a broadcast of its epoch",
        "format": "what this check can read",
        "epoch": "that of the hub's broadcasts; only a hub has one",
        "incarnation": "the ids that the process sends; only a participant has one, and no other process has it",
        "pid": ALONE,
        "version": ALONE,
    },
    "send": {
        **HEAD,
        "op": "its receive, receipt or refusal",
        "id": "the incarnation of its process, the number before it, its receive and its answer",
        "text": "its broadcast; only a publish has one",
    },
    "receive": {
        **HEAD,
        "op": "its send, and the broadcast behind it",
        "id": "its send, the broadcast behind it, and no refusal",
        "stamped": "`lamport` of its send",
        "participant": "the process of its send, and the broadcast behind it",
        "again": "whether an earlier life of the hub wrote it",
    },
    "detect": {
        **HEAD,
        "op": "leave, as the broadcast behind it",
        "participant": "the broadcast behind it",
        "incarnation": "a member",
        "reason": "the broadcast behind it",
        "again": "whether an earlier life of the hub wrote it",
    },
    "broadcast": {
        **HEAD,
        "op": "the line before it, its deliveries and its receipt",
        "epoch": "the start of the hub",
        "seq": "the broadcast before it, its deliveries and its receipt",
        "cause": "the receive before it, and its receipt",
        "members": "the joins and leaves so far",
        "participant": "the line before it, the join of that member, and its deliveries",
        "reason": "the cause: a leave is `asked` if it has one; the detect before it; its deliveries",
        "text": "its send, or `lamport` in an announcement; its deliveries",
        "again": "whether an earlier life of the hub wrote it",
    },
    "deliver": {
        **HEAD,
        "op": "its broadcast",
        "epoch": "its broadcast, and the other deliveries of the stay",
        "seq": "its broadcast, and the delivery before it",
        "stamped": "`lamport` of its broadcast",
        "participant": "its broadcast",
        "reason": "its broadcast",
        "text": "its broadcast",
    },
    "ack": {
        **HEAD,
        "op": "its send and its broadcast",
        "id": "a send of this process, and the cause of its broadcast",
        "epoch": "its broadcast",
        "seq": "its broadcast",
        "stamped": "`lamport` of its broadcast",
    },
    "refused": {
        **HEAD,
        "op": "its send",
        "id": "a send of this process; no receive, and no broadcast",
        "status": "nothing, but for a join that was accepted: then that there was another epoch",
        "reason": ALONE,
    },
    "end": {
        **HEAD,
        "lamport": "the line before it",
        "reason": "nothing, but for a participant that left: then the answer to its leave",
    },
}

LINE = "the lines that follow it, and those of other processes that it causes or is caused by"

_UNSEEN = "No other line tells of it: a refusal moves no clock of the hub, and is no event there."
_CRASH = "It is the last line of a life without an `end`: that is how a crash looks."
_STREAMS = "Events and receipts travel on streams of their own: either may come first, and so may what the author says."
_NEVER = "The hub never received it, and its author may have crashed, or the epoch have ended, before it did."

SURVIVES = {
    "*: wall *": "Wall time proves nothing: clocks of machines differ and are set.",
    "*: level *": "It is for people.",
    "* last before a crash: *": _CRASH,
    "ack * last of its epoch: line dropped*": "No later receipt of the epoch, and no graceful leave, shows that it"
    " was given: an epoch or a life may end before a receipt arrives.",
    "ack *: line swapped with [!a]*, clocks put right": _STREAMS,
    "deliver * last of its stay: line dropped*": "A stay that did not end by a receipted leave, or"
    " whose hub crashed, may have been delivered less.",
    "deliver *: line swapped with [!d]*, clocks put right": _STREAMS,
    "send * never received*: line dropped*": _NEVER,
    "send * never received*: text *": "The hub never received it: nobody else knows what it said.",
    "send *: line swapped with *, clocks put right": _STREAMS,
    "receive * of a stranger: stamped *": "The sender keeps no log here, and the hub's clock was ahead of both.",
    "refused *: reason *": _UNSEEN,
    "refused *: status *": _UNSEEN,
    "refused *: id another": "That message was not accepted either.",
    "refused *: line dropped*": "An answer may never arrive.",
    "refused *: line swapped with *, clocks put right": "A refusal is a local event: nobody else depends on its place.",
    "start *: pid *": "No other line tells it.",
    "start *: version *": "No other line tells it.",
    "start *: line doubled*": "A process may crash when it has just started, and be started again.",
    "end *: line dropped*": "A life without its `end` is taken to have crashed, and nothing contradicts that.",
    "end *: * left out": "The line breaks off, as the last one of a life that crashed may.",
    "end *: event *": "It lacks a field of the other event, and so counts as a line that breaks off.",
    "end *: process *": "The line is not believed, and the life taken to have crashed.",
    "end *: reason another": "Why a process ends is told here only; that it left needs an answer, else nothing.",
}
"""Mutants that may survive, by `kind: field how`, with the reason why each is no violation; `[!d]` is not a d."""


def why(key: str) -> list[str]:
    """Return the patterns that explain why a mutant survives."""
    return [pattern for pattern in SURVIVES if fnmatchcase(key, pattern)]
