"""P9 to P14: who belongs is told everything, by itself first, and everybody sees the same members."""

from chitty.core.event import Kind, Reason, announcement
from chitty.core.names import fold
from chitty.trace.evidence import Evidence, Passage, split
from chitty.trace.history import Event, Life, Says
from chitty.trace.property import Property
from chitty.trace.stays import Run, Stay

_NOTICED = frozenset({Reason.LOST, Reason.EXPELLED})


class Agreement(Property):
    """A stay is told all of it."""

    id = "P9"
    name = "uniform agreement"
    sentence = (
        "a stay that ended by a receipted leave was delivered all from its join to before its leave;"
        " any other, the beginning of that without a gap"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._judged: set[Stay] = set()

    def see(self, passage: Passage) -> None:
        """Note deliveries that the stay should not have had."""
        for run in passage.runs:
            self.cases += run.begins
            for event in run.strays:
                self.breach(f"an event of epoch={run.stay.epoch}", f"epoch={event.says.epoch}", run.stay.first, event)

    def conclude(self) -> None:
        """Judge each stay by its holes and its end."""
        for stay in self.evidence.all_stays():
            if stay not in self._judged and self._judge(stay):
                self._judged.add(stay)

    def _judge(self, stay: Stay) -> bool:
        """Judge a stay; tell whether it is done with."""
        if stay.first is None or stay.top is None:
            return self._judge_silent(stay)
        if stay.holes:
            seq, (before, after) = next(iter(stay.holes.items()))
            self.breach(f"seq={seq} between them", f"{len(stay.holes)} events not delivered", before, after)
            return True
        if stay.left is None:
            return False
        last, leave = stay.top.says.seq, stay.left.says.seq
        if last >= leave:
            self.breach(f"nothing from its leave on, which is seq={leave}", f"seq={last}", stay.left, stay.top)
        elif last < leave - 1 and self.evidence.owed_all(stay):
            self.breach(f"everything before its leave, up to seq={leave - 1}", f"seq={last} last", stay.top, stay.left)
        return stay.ended

    def _judge_silent(self, stay: Stay) -> bool:
        if not self.evidence.owed_all(stay):
            return False
        self.breach("its own join at least", "nothing delivered", stay.join, stay.left)
        return True


class SelfInclusion(Property):
    """A newcomer hears of itself first."""

    id = "P10"
    name = "self-inclusion"
    sentence = "the first delivery of a stay is the participant's own join"

    def see(self, passage: Passage) -> None:
        """Look at first deliveries."""
        for run in passage.runs:
            if run.begins:
                self._see(run.stay, run.deliveries[0])

    def _see(self, stay: Stay, first: Event) -> None:
        self.cases += 1
        says = first.says
        if stay.join is None:
            self.lack(f"the log of {stay.life.name} lacks the beginning of a stay")
        elif (says.op, says.participant) != ("join", first.process):
            self.breach(f"the join of {first.process}", f"{says.op} of {says.participant}", stay.join, first)
        elif says.sent is not None and says.sent.says.cause != stay.join.says.id:
            self.breach(f"its join, id={stay.join.says.id}", f"that of id={says.sent.says.cause}", stay.join, first)


class Membership(Property):
    """The hub knows who belongs."""

    id = "P11"
    name = "membership precision"
    sentence = (
        "the number of members with each broadcast is that of those who joined and have not left, and only they speak"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._members: dict[str, dict[str, Event]] = {}

    def see(self, passage: Passage) -> None:
        """Replay the joins and leaves."""
        if not passage.life.is_hub:
            return
        for before, event in passage.steps:
            if event.kind == "broadcast":
                epoch = event.says.epoch
                if self.evidence.order(epoch).begins:
                    self._replay(self._members.setdefault(epoch, {}), before, event)
                else:
                    self.lack(f"the log of the hub of epoch {epoch} lacks its beginning")

    def _replay(self, members: dict[str, Event], before: Event | None, event: Event) -> None:
        self.cases += 1
        says = event.says
        who = split(says.cause)[0] if says.cause else before.says.incarnation if before is not None else ""
        if says.op == "join":
            members[who] = event
        elif who not in members:
            self.breach(f"{says.participant} is a member", "is none", before, event)
        elif says.participant != members[who].says.participant:
            self.breach(f"{members[who].says.participant}, as it joined", says.participant, members[who], event)
        elif says.op == "leave":
            del members[who]
        if says.members != len(members):
            self.breach(f"members={len(members)}", f"members={says.members}", before, event)


class SameView(Property):
    """All see the same members come and go."""

    id = "P12"
    name = "same view"
    sentence = "who counts the joins and leaves that it is delivered has the hub's number of members, at each of them"

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._views: dict[Stay, int] = {}

    def see(self, passage: Passage) -> None:
        """Count."""
        for run in passage.runs:
            changes = [event for event in run.deliveries if event.says.op != "publish"]
            for event in changes:
                if event.says.sent is not None:
                    self._count(run, event, event.says.sent)

    def _count(self, run: Run, event: Event, broadcast: Event) -> None:
        self.cases += 1
        stay, says = run.stay, event.says
        if stay not in self._views:
            self._views[stay] = broadcast.says.members
            return
        view = self._views[stay] + (1 if says.op == "join" else -1)
        self._views[stay] = broadcast.says.members  # so that one breach is told once
        if view != broadcast.says.members:
            self.breach(
                f"{broadcast.says.members} members, as the hub has", f"{view} by what it was told", broadcast, event
            )


class Announcements(Property):
    """What is announced is so."""

    id = "P13"
    name = "announcements tell the truth"
    sentence = (
        "the Lamport time in an announcement is that of its broadcast; joins and leaves of a participant alternate;"
        " a leave is asked where it has a cause, lost or expelled where it has none"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._present: dict[tuple[str, str], Event] = {}

    def see(self, passage: Passage) -> None:
        """Read the announcements."""
        for event in passage.events if passage.life.is_hub else ():
            if event.kind == "broadcast" and event.says.op != "publish":
                self._read(event, event.lamport)
                self._alternate(event)
            if event.kind == "broadcast":
                self._see_reason(event)
        for event, _ in passage.told:
            if event.kind == "deliver" and event.says.op != "publish":
                self._read(event, event.says.stamped)

    def _see_reason(self, event: Event) -> None:
        says = event.says
        if says.op != Kind.LEFT:
            expected = ""
        elif says.cause:
            expected = Reason.ASKED
        else:
            expected = says.reason if says.reason in _NOTICED else f"{Reason.LOST} or {Reason.EXPELLED}"
        if says.reason != expected:
            because = f"id={says.cause} asked for it" if says.cause else "nobody asked for it"
            wanted = f"reason={expected}: {because}" if expected else f"no reason: it is a {says.op}"
            self.breach(wanted, f"reason={says.reason}" if says.reason else "no reason", event)

    def _read(self, event: Event, lamport: int) -> None:
        self.cases += 1
        says = event.says
        if says.op in {Kind.JOINED, Kind.LEFT}:
            expected = announcement(Kind(says.op), says.participant, lamport)
            if says.text != expected:
                self.breach(expected, says.text, says.sent, event)

    def _alternate(self, event: Event) -> None:
        says = event.says
        key = says.epoch, fold(says.participant)
        before = self._present.get(key)
        was = before.says.op if before is not None else "leave"
        if before is None and not self.evidence.order(says.epoch).begins:
            self.lack(f"the log of the hub of epoch {says.epoch} lacks its beginning")
        elif was == says.op:
            expected = "a leave before it joins again" if was == "join" else "a join before it leaves"
            self.breach(expected, f"a second {was}" if before is not None else "none", before, event)
        self._present[key] = event


class Replicas(Property):
    """Hubs of one epoch tell one story."""

    id = "P14"
    name = "agreement of replicas"
    sentence = (
        "what a restarted hub repeats, or a second server broadcasts, is the same event as the first one said,"
        " and what is repeated says so"
    )

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._last_repeated: dict[Life, Event] = {}

    def see(self, passage: Passage) -> None:
        """Compare each repeated line with the first, and look where lines are marked as repeated."""
        if not passage.life.is_hub:
            return
        first_hand = {event: first for first, event in passage.again}
        before = passage.before
        for event in passage.lines:
            first = first_hand.get(event)
            if first is not None:
                self._compare(first, event, before)
                self._last_repeated[event.life] = event
            if before is not None:
                self._see_mark(before, event)
            before = event

    def _compare(self, first: Event, event: Event, before: Event | None) -> None:
        self.cases += 1
        one, other = _whole(first), _whole(event)
        if one != other:
            self.breach(f"as it was said first: {one}", f"{other}", first, event)
        elif first.life.process is event.life.process and not event.says.again:
            self.breach("again=1: it is said a second time", "no mark", first, event)
        elif event.kind == "broadcast" and before is not None and before is not self._last_repeated.get(event.life):
            self.breach("directly before it what was before it the first time", _named(before), before, event)

    def _see_mark(self, before: Event, event: Event) -> None:
        """Lines that are said again come first in a life; a broadcast is said again as what caused it is."""
        again, was = event.says.again, before.says.again
        if again > 1:
            self.breach("again=1", f"again={again}", event)
        elif again and not was and before.kind != "start":
            self.breach("no line that is said again behind one that is not", f"again={again}", before, event)
        elif was and not again and before.kind != "broadcast" and event.kind == "broadcast":
            self.breach("again=1, as the line before it", "no mark", before, event)


def _named(event: Event) -> str:
    return f"{event.kind} n={event.n}"


def _whole(event: Event) -> tuple[object, ...]:
    says: Says = event.says
    return (
        event.lamport,
        says.op,
        says.participant,
        says.id or says.cause,
        says.stamped or says.members,
        says.reason,
        says.text,
    )
