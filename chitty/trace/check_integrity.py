"""P1 to P4: nothing is made up, doubled, altered or lost."""

from collections.abc import Iterable

from chitty.core.event import Kind
from chitty.core.names import MAX_TEXT
from chitty.trace.evidence import LEFT, Evidence, Passage, split
from chitty.trace.history import Event, Life, Says
from chitty.trace.property import Property
from chitty.trace.refusals import Refusals, Untrue
from chitty.trace.stays import Stay


class NoCreation(Property):
    """Everything has its cause."""

    id = "P1"
    name = "uniform integrity: no creation"
    sentence = "what is delivered was broadcast, what is broadcast was sent or detected, and what is answered was sent"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._unsent: set[tuple[str, str]] = set()

    def see(self, passage: Passage) -> None:
        """Look for the cause of each delivery, each broadcast and each answer."""
        self.cases += sum(len(run.deliveries) for run in passage.runs)
        for event in passage.untold:
            says = event.says
            why = self.evidence.lacks(says.epoch, says.seq)
            if why:
                self.lack(why)
            elif event.kind == "deliver":
                last = self.evidence.order(says.epoch).broadcasts.get(self.evidence.order(says.epoch).last)
                self.breach(f"a broadcast of epoch={says.epoch} seq={says.seq} by the hub", "none", last, event)
        for sent, event in passage.answered:
            self._see_answer(sent, event)
        if passage.life.is_hub:
            for before, event in passage.steps:
                if event.kind == "broadcast":
                    self._see_broadcast(before, event)

    def _see_answer(self, sent: Event | None, event: Event) -> None:
        self.cases += 1
        if sent is not None:
            return
        if event.life.start is None:
            self.lack(f"the log of {event.life.name} lacks its beginning")
        else:
            self.breach(f"a send of id={event.says.id} before its answer", "none", event.life.start, event)

    def conclude(self) -> None:
        """Judge what the hub received and nobody sent; of participants without logs nothing is known."""
        for key, event in self.evidence.unsent.items():
            incarnation, _ = split(event.says.id)
            if key in self._unsent or incarnation not in self.evidence.observed:
                continue
            why = self.evidence.lacks_send(event.says.id)
            if why:
                self.lack_now(why)
                continue
            self._unsent.add(key)
            start = self.evidence.observed[incarnation].start
            self.breach(f"a send of id={event.says.id} by its participant", "none", event, start)

    def _see_broadcast(self, before: Event | None, event: Event) -> None:
        self.cases += 1
        says = event.says
        if before is None or before.n != event.n - 1:
            self.lack(f"what precedes {event.place} is missing")
        elif says.cause:
            if before.kind != "receive" or before.says.id != says.cause:
                self.breach(f"directly before it the receive of id={says.cause}", _brief(before), before, event)
        elif before.kind != "detect" or before.says.participant != says.participant:
            self.breach(f"directly before it the detect of {says.participant}", _brief(before), before, event)


class NoDuplication(Property):
    """Nothing happens twice."""

    id = "P2"
    name = "uniform integrity: no duplication"
    sentence = "a message is accepted once, broadcast once, answered once, and delivered at most once in a stay"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._answers: dict[str, Event] = {}

    def see(self, passage: Passage) -> None:
        """Look for second ones."""
        for run in passage.runs:
            self.cases += len(run.deliveries)
            for event, top in run.repeats:
                self.breach(f"seq={event.says.seq} once in this stay", "delivered again", top, event)
        for event in passage.events:
            kind = event.kind
            if kind in {"receive", "broadcast"}:
                self._see_of_hub(event)
            elif kind in {"ack", "refused"}:
                self.cases += 1
                first = self._answers.setdefault(event.says.id, event)
                if first is not event:
                    self.breach(f"one answer to id={event.says.id}", f"a second one: {event.kind}", first, event)

    def _see_of_hub(self, event: Event) -> None:
        self.cases += 1
        says = event.says
        if event.kind == "receive":
            epoch = self.evidence.epoch_of(event.life)
            first = self.evidence.order(epoch).receives[says.id]
            if first is not event:
                self.breach(f"id={says.id} accepted once", "accepted again", first, event)
            return
        order = self.evidence.order(says.epoch)
        first = order.broadcasts[says.seq]
        if first is not event:
            self.breach(f"seq={says.seq} broadcast once", "broadcast again", first, event)
        elif says.cause and order.causes[says.cause] is not event:
            self.breach(f"id={says.cause} broadcast once", "broadcast again", order.causes[says.cause], event)


class Content(Property):
    """Nothing is altered on its way."""

    id = "P3"
    name = "content integrity"
    sentence = (
        "text, author and kind are the same where a message is sent, broadcast and delivered; at most 128 characters"
    )

    def see(self, passage: Passage) -> None:
        """Compare what each end says; deliveries that say the same are one."""
        for sent, received in passage.received:
            self._same(sent, received, _sender(sent), _about(received.says))
        for sent, event in passage.caused:
            self._same(sent, event, (*_sender(sent), _text(sent.says)), (*_about(event.says), _text(event.says)))
        for event, broadcast in passage.told:
            if event.kind == "deliver":
                self._same(broadcast, event, _all(broadcast.says), _all(event.says))
            else:
                self._same(broadcast, event, broadcast.says.op, event.says.op)
        for event in passage.events:
            if event.kind == "send" and event.says.text and event.says.op != Kind.PUBLISHED:
                self.breach(f"no text in a {event.says.op}", event.says.text, event)
        for asked, event in passage.answered:
            if asked is not None:
                self._same(asked, event, asked.says.op, event.says.op)
        if passage.life.is_hub:
            self._see_hub(passage)

    def _see_hub(self, passage: Passage) -> None:
        for before, event in passage.steps:
            says = event.says
            if event.kind != "broadcast":
                continue
            if before is not None and before.kind == "receive" and before.says.id == says.cause:
                self._same(before, event, _about(before.says), _about(says))
            elif before is not None and before.kind == "detect":
                told = before.says
                self._same(before, event, ("leave", told.op, told.reason), (says.op, says.op, says.reason))
            if says.op == "publish" and not 0 < len(says.text) <= MAX_TEXT:
                self.breach(f"1 to {MAX_TEXT} characters", f"{len(says.text)} characters", before, event)

    def _same(self, first: Event, second: Event, expected: object, found: object) -> None:
        self.cases += 1
        if expected != found:
            self.breach(f"as it was: {_in_words(expected)}", _in_words(found), first, second)


def _in_words(value: object) -> str:
    return ", ".join(str(part) for part in value if part) if isinstance(value, tuple) else str(value)


class Validity(Property):
    """Nothing is lost."""

    id = "P4"
    name = "validity"
    sentence = (
        "a message is receipted or refused, or a crash left it open; what has a receipt was broadcast,"
        " and reached its author; what was refused was not, and who says that it left has an answer to its leave"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._open: dict[Life, dict[str, Event]] = {}
        self._awaited: dict[Stay, dict[int, Event]] = {}
        self._concluded: set[Stay] = set()
        self._refusals = Refusals(evidence)

    def see(self, passage: Passage) -> None:
        """Follow each message to its answer, each receipt to its broadcast and delivery, and each refusal to none."""
        self._tell_untrue(self._refusals.see(passage))
        if passage.life.is_hub:
            self._see_hub(passage)
            return
        opened = self._open.setdefault(passage.life, {})
        for event in passage.events:
            if event.kind == "send" and event.says.op == "publish":
                self.cases += 1
                opened[event.says.id] = event
            elif event.kind == "refused":
                opened.pop(event.says.id, None)
                self.cases += 1
            elif event.kind == "ack":
                self._close_before(opened, event)
            elif event.kind == "end" and event.says.reason.partition(",")[0] == LEFT:
                self._see_left(event)
        for stay, event in passage.receipts:
            self._see_receipt(stay, event)

    def conclude(self) -> None:
        """Judge the receipts whose broadcasts their author should have been delivered by now, and doubtful refusals."""
        self._tell_untrue(self._refusals.conclude())
        if why := self._refusals.lack():
            self.lack_now(why)
        for stay, receipts in self._awaited.items():
            for seq in [seq for seq in receipts if stay.delivered(seq)]:
                del receipts[seq]
            over = self.evidence.owed_all(stay)
            for seq, receipt in receipts.items():
                passed = stay.top is not None and seq < stay.top.says.seq
                if (over or passed) and stay not in self._concluded:
                    self._concluded.add(stay)
                    self.breach(f"seq={seq} delivered to its author, who was a member", "never", receipt, stay.top)

    def _tell_untrue(self, found: Iterable[Untrue]) -> None:
        for one in found:
            self.breach(one.expected, _brief(one.witness), one.witness, one.refusal)

    def _see_left(self, end: Event) -> None:
        stay = self.evidence.stays.get(end.life)
        if stay is None or end.life.start is None:
            return
        self.cases += 1
        if stay.left is None and (stay.leave is None or stay.leave.says.id not in self.evidence.refused):
            self.breach("an answer to its leave, before it says that it left", "none", stay.leave or stay.join, end)

    def _see_hub(self, passage: Passage) -> None:
        for before, event in passage.steps:
            if before is not None and before.kind in {"receive", "detect"}:
                self.cases += 1
                if event.kind != "broadcast":
                    about = f"id={before.says.id}" if before.says.id else f"the leave of {before.says.participant}"
                    self.breach(f"a broadcast of {about} next", _brief(event), before, event)

    def _close_before(self, opened: dict[str, Event], event: Event) -> None:
        """Close a message. Receipts come in the order of messages: none of the epoch is left open before it."""
        id_, epoch = event.says.id, event.says.epoch
        number = split(id_)[1]
        for other in [other for other in opened if split(other)[1] <= number]:
            sent = opened.pop(other)
            heard = self.evidence.known.get(other)
            if other != id_ and heard is not None and heard.says.epoch == epoch:
                self.breach(f"an answer to id={other} before the receipt of id={id_}", "none", sent, event)

    def _see_receipt(self, stay: Stay, event: Event) -> None:
        says = event.says
        if says.sent is None:
            if not self.evidence.lacks(says.epoch, says.seq):
                self.breach(f"a broadcast of epoch={says.epoch} seq={says.seq}", "none", event)
        elif says.sent.says.cause != says.id:
            self.breach(f"seq={says.seq} caused by id={says.id}", f"cause={says.sent.says.cause}", says.sent, event)
        if says.op == "publish" and stay.join is not None and split(says.id)[1] > split(stay.join.says.id)[1]:
            # One of an earlier stay, which was cut off before its receipt, need not have reached its author.
            self._awaited.setdefault(stay, {})[says.seq] = event


def _about(says: Says) -> tuple[str, str]:
    return says.op, says.participant


def _sender(sent: Event) -> tuple[str, str]:
    return sent.says.op, sent.process


def _text(says: Says) -> str:
    return says.text if says.op == "publish" else ""


def _all(says: Says) -> tuple[str, str, str, str]:
    return says.op, says.participant, says.reason, says.text


def _brief(event: Event) -> str:
    return f"{event.kind} n={event.n} {event.says.op} {event.says.id}".rstrip()
