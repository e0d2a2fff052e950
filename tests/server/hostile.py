"""Hostile inputs, as a table: what is sent, and the status that it has to get.

Bytes are made by hand: no client library would send most of them. What a row needs to know of the service that
it is sent to, it asks of a `World`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from chitty.wire import identity

OK = "OK"
INVALID = "INVALID_ARGUMENT"
PRECONDITION = "FAILED_PRECONDITION"
NO_SESSION = "UNAUTHENTICATED"
TAKEN = "ALREADY_EXISTS"
TOO_MUCH = "RESOURCE_EXHAUSTED"
NO_METHOD = "UNIMPLEMENTED"

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass
class World:
    """What rows know: mallory belongs, trudy has left, victor belongs and is not to be harmed.

    Attributes:
        mallory: its session; `number` and `lamport` are such that its next message is accepted.
        trudy: a session by which one joined with number 1, spoke with 2 and left with 3.
        victor: a name; `incarnation` is what everybody can see of its session.
    """

    epoch: str
    head: int
    time: int
    mallory: str
    number: int
    trudy: str
    incarnation: str
    victor: str = "victor"


Data = bytes | Callable[[World], bytes]
Session = Callable[[World], str]


def a_new_one(_: World) -> str:
    return identity.new_session()


def of_mallory(world: World) -> str:
    return world.mallory


def of_trudy(world: World) -> str:
    return world.trudy


@dataclass(frozen=True)
class Row:
    """One hostile input.

    Attributes:
        data: what is sent, in as many messages as there are.
        session: whose the call says it is; `metadata` in its place says anything at all.
        code: the status that it has to get, and `field` the one at fault.
    """

    name: str
    method: str
    data: Data | tuple[bytes, ...]
    code: str
    field: str = ""
    session: Session = a_new_one
    metadata: Metadata | Callable[[World], Metadata] | None = None
    accepted: int = 0

    def messages(self, world: World) -> tuple[bytes, ...]:
        if isinstance(self.data, tuple):
            return self.data
        return (self.data(world) if callable(self.data) else self.data,)

    def metadata_in(self, world: World) -> Metadata:
        if self.metadata is None:
            return identity.credentials(self.session(world))
        return self.metadata(world) if callable(self.metadata) else self.metadata


# The encoding of Protocol Buffers, by hand.


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def tag(number: int, kind: int) -> bytes:
    return varint(number << 3 | kind)


def scalar(number: int, value: int) -> bytes:
    return tag(number, 0) + varint(value)


def fixed64(number: int) -> bytes:
    return tag(number, 1) + bytes(8)


def fixed32(number: int) -> bytes:
    return tag(number, 5) + bytes(4)


def some_bytes(number: int, value: bytes) -> bytes:
    return tag(number, 2) + varint(len(value)) + value


def group(number: int, inside: bytes = b"") -> bytes:
    return tag(number, 3) + inside + tag(number, 4)


def groups(depth: int) -> bytes:
    return tag(99, 3) * depth + tag(99, 4) * depth


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = some_bytes(1, data)
    return data


def join(name: bytes | str = "eve", number: int = 1, lamport: int = 1, rest: bytes = b"") -> bytes:
    name = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name
    return some_bytes(1, name) + scalar(2, number) + scalar(3, lamport) + rest


def message(number: int, lamport: int = 1, text: bytes | str = "hello") -> bytes:
    text = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return scalar(1, number) + scalar(2, lamport) + some_bytes(3, text)


def publish(*messages: bytes) -> bytes:
    return b"".join(some_bytes(1, one) for one in messages)


def saying(text: bytes | str, lamport: int = 1) -> Callable[[World], bytes]:
    return lambda world: publish(message(world.number, lamport, text))


def leave(number: int, lamport: int = 1) -> bytes:
    return scalar(1, number) + scalar(2, lamport)


# Names and texts.

HARMLESS = "eve"

ESCAPES = {
    "NUL": "\0",
    "bell": "\a",
    "backspace": "\b",
    "clear": "\x1b[2J",
    "colour": "\x1b[31m",
    "title": "\x1b]0;owned\x07",
    "device attributes": "\x1b[c",
    "C1 CSI": "\x9b2J",
    "DEL": "\x7f",
    "next line": "\x85",
    "newline": "\n",
    "return": "\r",
    "return newline": "\r\n",
    "tab": "\t",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right-to-left override": "\u202e",
    "left-to-right embedding": "\u202a",
    "isolate": "\u2066",
    "pop isolate": "\u2069",
    "right-to-left mark": "\u200f",
    "Arabic letter mark": "\u061c",
    "zero width space": "\u200b",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
}

FORMATS = {
    "parent directory": "../x",
    "two dots": "..",
    "root": "/etc/passwd",
    "backslash": "a\\b",
    "home": "~eve",
    "printf": "%s%s%n",
    "supervisor expansion": "%(ENV_HOME)s",
    "ini section": "[program:x]",
    "ini comment": "eve ;x",
    "ini second program": "eve\n[program:x]\ncommand=id",
    "hash comment": "#eve",
    "braces": "{}",
    "format field": "{0.__class__}",
    "shell variable": "${HOME}",
    "shell command": "$(id)",
    "backquote": "`id`",
    "pipe": "a|b",
    "and": "a&&b",
    "redirection": "a>b",
    "script": "<script>alert(1)</script>",
    "quote": 'a"b',
    "apostrophe": "a'b",
    "sql": "x'; DROP TABLE log; --",
    "equals": "a=b",
    "comma": "a,b",
    "colon": "a:b",
    "at": "a@b",
    "star": "*",
    "question": "a?b",
    "jinja": "{{7*7}}",
    "log4j": "${jndi:ldap://x}",
    "space": "a b",
    "no-break space": "a\u00a0b",
    "full-width solidus": "a\uff0fb",
    "forged line": "x\n2026-11-23T03:11:50.123456Z INFO hub broadcast lamport=1 n=1 op=join",
    "forged field": 'eve" seq=7 text="x',
}

OTHER_NAMES = {
    "nothing": "",
    "dash first": "-eve",
    "dot first": ".eve",
    "underscore first": "_eve",
    "reserved": "server",
    "reserved in capitals": "HUB",
    "reserved when folded": "\u017ferver",
    "everybody": "all",
    "33 characters": "x" * 33,
    "33 after composition": "e\u0301" * 33,
    "100,000 characters": "x" * 100_000,
    "a million bytes": "x" * 1_000_000,
    "half a million marks out of order": "a" + "\u0301\u0323" * 200_000,
    "marks by the hundred": "a" + "\u0301\u0323" * 60,
    "a mark": "\u0301",
    "an emoji": "\U0001f600",
    "a fraction": "½",
    "private use": "\ue000",
    "unassigned": "\U0010ffff",
    "a noncharacter": "\uffff",
    "a tag character": "a\U000e0041",
    "a variation selector": "a\ufe0f",
}

NO_UTF8 = {
    "a lone byte": b"\xff",
    "a byte order mark of UTF-16": b"\xff\xfe",
    "a continuation": b"\x80",
    "cut off": b"\xe2\x82",
    "overlong": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "Latin-1": "é".encode("latin-1"),
}


def name_rows() -> Iterator[Row]:
    for what, name in {**ESCAPES, **FORMATS, **OTHER_NAMES}.items():
        yield Row(f"a name: {what}", "Join", join(name), INVALID, "participant")
    for what in ("clear", "NUL", "newline", "right-to-left override"):
        yield Row(f"a name that ends with {what}", "Join", join("eve" + ESCAPES[what]), INVALID, "participant")


def text_rows() -> Iterator[Row]:
    """Yield texts that may be said, whatever they are, and those that may not."""
    for what, text in {**ESCAPES, **FORMATS}.items():
        yield Row(f"a text: {what}", "Publish", saying(text), OK, session=of_mallory, accepted=1)
    for what, text in {
        "JSON": '"\\u001b[2J\\',
        "128 emoji": "\U0001f600" * 128,
        "128 marks": "\u0301\u0323" * 64,
        "a noncharacter": "\uffff\U0010ffff",
    }.items():
        yield Row(f"a text: {what}", "Publish", saying(text), OK, session=of_mallory, accepted=1)
    for what, text in {
        "nothing": "",
        "129": "x" * 129,
        "129 emoji": "\U0001f600" * 129,
        "900 kB": "x" * 900_000,
    }.items():
        yield Row(f"a text: {what}", "Publish", saying(text), INVALID, "messages[0].text", of_mallory)


def utf8_rows() -> Iterator[Row]:
    for what, bad in NO_UTF8.items():
        yield Row(f"not UTF-8, a name: {what}", "Join", join(b"eve" + bad), INVALID, "participant")
        yield Row(f"not UTF-8, an epoch: {what}", "Join", join(rest=some_bytes(4, bad)), INVALID, "epoch")
        yield Row(f"not UTF-8, a text: {what}", "Publish", saying(bad), INVALID, "messages[0].text", of_mallory)
    both = lambda world: publish(message(world.number), message(world.number + 1, text=b"\xff"))  # noqa: E731
    yield Row("not UTF-8, the second text", "Publish", both, INVALID, "messages[1].text", of_mallory)


# What is no encoding, or another one.


def truncated_rows() -> Iterator[Row]:
    """Yield every beginning of a valid request that is not whole."""
    for cut in range(33):
        pieces = _join_pieces
        yield Row(f"a Join cut off after {cut} bytes", "Join", _cut(pieces, cut), INVALID, _fault(cut))
    whole = len(publish(message(300, 70_000, "hello \u00e9")))
    for cut in range(whole):
        data = publish(message(300, 70_000, "hello \u00e9"))[:cut]
        at_fault = "" if cut else "messages"
        yield Row(f"a Publish cut off after {cut} bytes", "Publish", data, INVALID, at_fault, of_mallory)
    for cut, at_fault in enumerate(("number", "", "", "lamport", "", "", "")):
        data = (scalar(1, 16_000) + scalar(2, 70_000))[:cut]
        yield Row(f"a Leave cut off after {cut} bytes", "Leave", data, INVALID, at_fault, of_mallory)
    for cut in range(1, 6):
        data = some_bytes(1, b"junk")[:cut]
        yield Row(f"a ListParticipants cut off after {cut} bytes", "ListParticipants", data, INVALID)


def _join_pieces(world: World) -> list[bytes]:
    return [
        some_bytes(4, world.epoch.encode()),
        scalar(5, 1),
        some_bytes(1, "ev\u00e9-the-1st".encode()),
        scalar(2, 300),
        scalar(3, 70_000),
    ]


def _cut(pieces: Callable[[World], list[bytes]], cut: int) -> Callable[[World], bytes]:
    return lambda world: b"".join(pieces(world))[:cut]


def _fault(cut: int) -> str:
    """Return the field that is at fault when a Join breaks off: none within a piece, the first missing one after it."""
    return {0: "participant", 10: "participant", 12: "participant", 26: "number", 29: "lamport"}.get(cut, "")


def encoding_rows() -> Iterator[Row]:
    """Yield encodings that no library writes."""
    for what, wrong in {
        "a number": scalar(1, 7),
        "fixed 64": fixed64(1),
        "fixed 32": fixed32(1),
        "a group": group(1),
    }.items():
        data = wrong + scalar(2, 1) + scalar(3, 1)
        yield Row(f"a name as {what}", "Join", data, INVALID, "participant")
        yield Row(f"messages as {what}", "Publish", wrong, INVALID, "messages", of_mallory)
    for number, at_fault in ((2, "number"), (3, "lamport")):
        others = some_bytes(1, b"eve") + scalar(5 - number, 1)
        for what, wrong in {
            "text": some_bytes(number, b"1"),
            "packed": some_bytes(number, varint(1) + varint(2)),
            "fixed 64": fixed64(number),
            "fixed 32": fixed32(number),
            "a group": group(number),
            "nothing": b"",
        }.items():
            yield Row(f"a Join's {at_fault} as {what}", "Join", others + wrong, INVALID, at_fault)
            within = f"messages[0].{at_fault}"
            data = _wrong_in_message(number - 1, wrong)
            yield Row(f"a message's {at_fault} as {what}", "Publish", data, INVALID, within, of_mallory)
    for what, wrong in {"a number": scalar(3, 7), "a group": group(3), "nothing": b""}.items():
        data = lambda world, wrong=wrong: publish(scalar(1, world.number) + scalar(2, 1) + wrong)  # noqa: E731
        yield Row(f"a text as {what}", "Publish", data, INVALID, "messages[0].text", of_mallory)
    yield from _malformed()
    yield from _unusual()


def _wrong_in_message(number: int, wrong: bytes) -> Callable[[World], bytes]:
    moved = bytes([wrong[0] - 8]) + wrong[1:-1] + bytes([wrong[-1] - 8 * (wrong[0] & 7 == 3)]) if wrong else b""
    other = {1: lambda _: scalar(2, 1), 2: lambda world: scalar(1, world.number)}[number]
    return lambda world: publish(other(world) + some_bytes(3, b"hello") + moved)


def _malformed() -> Iterator[Row]:
    """Yield what no parser may accept, for every call."""
    for what, wrong in {
        "field number 0": scalar(0, 1),
        "wire type 6": tag(99, 6),
        "wire type 7": tag(99, 7),
        "an end without a group": tag(99, 4),
        "a group without an end": tag(99, 3),
        "a group with another's end": tag(99, 3) + tag(98, 4),
        "a length beyond the end": tag(99, 2) + varint(1000),
        "a length of 2^32": tag(99, 2) + varint(2**32),
        "a length of 2^64-1": tag(99, 2) + varint(2**64 - 1),
        "a varint without an end": tag(99, 0) + b"\xff" * 9,
        "a varint of 11 bytes": tag(99, 0) + b"\xff" * 10 + b"\x01",
        "10,000 groups in each other": groups(10_000),
    }.items():
        for method, data in {"Join": join(), "Publish": publish(message(1)), "Leave": leave(1)}.items():
            yield Row(f"{method}: {what}", method, data + wrong, INVALID, session=of_mallory)
        if wrong[0]:  # in a message without fields, and there only, Google's parser lets number 0 pass
            yield Row(f"ListParticipants: {what}", "ListParticipants", wrong, INVALID)


def _unusual() -> Iterator[Row]:
    """Yield what is unusual, and allowed."""
    for what, rest in {
        "unknown fields": scalar(77, 1) + some_bytes(1000, b"?") + fixed32(78) + fixed64(79),
        "100,000 unknown fields": scalar(77, 1) * 100_000,
        "a large unknown field": some_bytes(77, bytes(900_000)),
        "50 groups in each other": groups(50),
        "1,000 fields in each other": some_bytes(77, nested(1000)),
        "the largest field number": scalar(2**29 - 1, 1),
        "numbers twice, the last one counts": scalar(2, 5) + scalar(3, 2),
        "an epoch of another type": scalar(4, 7),
        "a cursor of another type": some_bytes(5, b"7"),
    }.items():
        yield Row(f"a Join with {what}", "Join", join(rest=rest), OK, accepted=1)
    twice = lambda world: publish(message(1, 0, "no") + message(world.number))  # noqa: E731 - the last value counts
    yield Row("a message with every field twice", "Publish", twice, OK, session=of_mallory, accepted=1)
    yield Row("unknown fields in a list", "ListParticipants", scalar(7, 7) + groups(50), OK)
    yield Row("names of nobody: a name twice", "Join", join("no/", rest=some_bytes(1, b"eve")), OK, accepted=1)


# Numbers, timestamps, cursors.

TIMES = {
    "0": 0,
    "2^63-1": 2**63 - 1,
    "2^63": 2**63,
    "-1": 2**64 - 1,
    "-2^63+1": 2**63 + 1,
    "2^53": 2**53,
}


def number_rows() -> Iterator[Row]:
    for what, lamport in TIMES.items():
        yield Row(f"a Join at {what}", "Join", join(lamport=lamport), INVALID, "lamport")
        yield Row(f"a message at {what}", "Publish", saying("x", lamport), INVALID, "messages[0].lamport", of_mallory)
        at = lambda world, lamport=lamport: leave(world.number, lamport)  # noqa: E731
        yield Row(f"a Leave at {what}", "Leave", at, INVALID, "lamport", of_mallory)
    beyond = lambda world: join(lamport=world.time + 2**32 + 1)  # noqa: E731
    yield Row("a Join at just more than 2^32 ahead", "Join", beyond, INVALID, "lamport")
    yield Row("a Join of number 0", "Join", join(number=0), INVALID, "number")
    yield Row("a Join of number 2^64-1", "Join", join(number=2**64 - 1), OK, accepted=1)
    first = "messages[0].number"
    for what, number in {"0": 0, "that was left out": 5}.items():
        yield Row(f"a message of number {what}", "Publish", publish(message(number)), INVALID, first, of_mallory)
    for what, numbers in {"falling": (5, 4), "the same": (5, 5), "0": (5, 0)}.items():
        data = _messages(numbers)
        yield Row(f"two messages, the second {what}", "Publish", data, INVALID, "messages[1].number", of_mallory)
    last = lambda world: publish(message(world.number), message(world.number + 1, 2**64 - 1))  # noqa: E731
    yield Row("the second at the end of time", "Publish", last, INVALID, "messages[1].lamport", of_mallory)
    for what, number in {"0": 0, "that was left out": 5}.items():
        yield Row(f"a Leave of number {what}", "Leave", leave(number), INVALID, "number", of_mallory)


def _messages(numbers: Iterable[int]) -> Callable[[World], bytes]:
    return lambda world: publish(*(message(number and world.number + number) for number in numbers))


def cursor_rows() -> Iterator[Row]:
    for what, epoch in {
        "another": "00000000",
        "short": "x",
        "NUL": "\0",
        "clear": "\x1b[2J",
        "newline": "a\nb",
        "long": "e" * 500_000,
        "long and not ASCII": "é" * 200_000,
    }.items():
        data = join(rest=some_bytes(4, epoch.encode()) + scalar(5, 1))
        yield Row(f"an epoch: {what}", "Join", data, "FAILED_PRECONDITION", "epoch")
    for what, after in {"1": 1, "2^63": 2**63, "2^64-1": 2**64 - 1}.items():
        yield Row(f"after {what} of no epoch", "Join", join(rest=scalar(5, after)), INVALID, "after")
    for what, ahead in {"one ahead": 1, "a million ahead": 10**6}.items():
        yield Row(f"after {what}", "Join", _after(lambda world, ahead=ahead: world.head + ahead), PRECONDITION, "after")
    for what, after in {"2^63-1": 2**63 - 1, "2^63": 2**63, "2^64-1": 2**64 - 1}.items():
        yield Row(f"after {what}", "Join", _after(lambda _, after=after: after), PRECONDITION, "after")


def _after(cursor: Callable[[World], int]) -> Callable[[World], bytes]:
    return lambda world: join(rest=some_bytes(4, world.epoch.encode()) + scalar(5, cursor(world)))


# Who calls.

GOOD = "0123456789abcdef" * 2


def session_rows() -> Iterator[Row]:
    bad: dict[str, Metadata] = {
        "none": (),
        "an empty one": (("authorization", ""),),
        "Bearer alone": (("authorization", "Bearer"),),
        "Bearer and a space": (("authorization", "Bearer "),),
        "small letters": (("authorization", f"bearer {GOOD}"),),
        "two spaces": (("authorization", f"Bearer  {GOOD}"),),
        "Basic": (("authorization", f"Basic {GOOD}"),),
        "the session alone": (("authorization", GOOD),),
        "21 characters": (("authorization", "Bearer " + "a" * 21),),
        "129 characters": (("authorization", "Bearer " + "a" * 129),),
        "4,000 characters": (("authorization", "Bearer " + "a" * 4000),),
        "a space within": (("authorization", "Bearer " + "a" * 16 + " " + "a" * 16),),
        "a comma": (("authorization", f"Bearer {GOOD},{GOOD}"),),
        "plus and slash": (("authorization", "Bearer " + "+/" * 16),),
        "padding": (("authorization", f"Bearer {GOOD}=="),),
        "a path": (("authorization", "Bearer ../../../../../../etc/passwd"),),
        "printf": (("authorization", "Bearer " + "%s" * 16),),
        "in binary": (("authorization-bin", f"Bearer {GOOD}".encode()),),
        "by another key": (("x-authorization", f"Bearer {GOOD}"),),
        "as a cookie": (("cookie", f"session={GOOD}"),),
        "a bad one before a good one": (("authorization", "Bearer x"), ("authorization", f"Bearer {GOOD}")),
    }
    for what, metadata in bad.items():
        for method, data in {"Join": join(), "Publish": publish(message(1)), "Leave": leave(1)}.items():
            yield Row(f"{method}, a session: {what}", method, data, NO_SESSION, metadata=metadata)
    for method, data in {"Publish": publish(message(2)), "Leave": leave(2)}.items():
        yield Row(f"{method} of a stranger", method, data, NO_SESSION)
        stolen = lambda world: (("authorization", f"Bearer {world.incarnation}"),)  # noqa: E731
        yield Row(f"{method} by an incarnation", method, data, NO_SESSION, metadata=stolen)
        longer = lambda world: (("authorization", f"Bearer {world.incarnation:0<32}"),)  # noqa: E731
        yield Row(f"{method} by an incarnation, filled up", method, data, NO_SESSION, metadata=longer)
    for what, metadata in {
        "a Basic one before it": (("authorization", "Basic x"), ("authorization", f"Bearer {GOOD}")),
        "another one behind it": (("authorization", f"Bearer {GOOD[::-1]}"), ("authorization", f"Bearer {GOOD}")),
        "bytes beside it": (("authorization", f"Bearer {GOOD * 2}"), ("junk-bin", bytes(range(256)))),
        "22 characters": (("authorization", "Bearer " + "-_" * 11),),
        "128 characters": (("authorization", "Bearer " + "a" * 128),),
    }.items():
        yield Row(f"a session, {what}", "Join", join(), OK, metadata=metadata, accepted=1)
    yield Row("metadata of 20 kB", "Join", join(), TOO_MUCH, metadata=(("junk", "x" * 20_000),))
    many = tuple((f"junk-{index}", "x" * 50) for index in range(200))
    yield Row("metadata of 200 keys", "Join", join(), TOO_MUCH, metadata=many)
    yield Row("metadata of 20 kB for a list", "ListParticipants", b"", TOO_MUCH, metadata=(("junk", "x" * 20_000),))


def replay_rows() -> Iterator[Row]:
    """Yield what was said before, or by somebody else."""
    yield Row("the Join of one who left", "Join", join("trudy"), "FAILED_PRECONDITION", session=of_trudy)
    yield Row("a lower Join of one who left", "Join", join("trudy", 2), "FAILED_PRECONDITION", session=of_trudy)
    yield Row("a message of one who left", "Publish", publish(message(2)), OK, session=of_trudy)
    yield Row("a new message of one who left", "Publish", publish(message(9)), NO_SESSION, session=of_trudy)
    both = publish(message(2), message(9))
    yield Row("an old and a new message of one who left", "Publish", both, NO_SESSION, session=of_trudy)
    yield Row("a Leave of one who left", "Leave", leave(3), OK, session=of_trudy)
    yield Row("a second Leave of one who left", "Leave", leave(4), NO_SESSION, session=of_trudy)
    as_other = join("eve", 1)
    yield Row("a member's session under another name", "Join", as_other, "PERMISSION_DENIED", session=of_mallory)
    again = join("mallory", 2**40)
    yield Row("a member's session once more", "Join", again, TAKEN, session=of_mallory)
    for name in ("victor", "VICTOR", "Victor", "mallory"):
        yield Row(f"the name {name}, of another", "Join", join(name), TAKEN, "participant")
    old = lambda world: publish(message(world.number - 1, 2**64 - 1, "other words"))  # noqa: E731
    yield Row("a repeat in other words", "Publish", old, OK, session=of_mallory)


def amount_rows() -> Iterator[Row]:
    for count in (1025, 400_000):
        data = b"\x0a\x00" * count
        yield Row(f"{count} messages", "Publish", data, TOO_MUCH, "messages", of_mallory)
    yield Row("1,024 empty messages", "Publish", b"\x0a\x00" * 1024, INVALID, "messages[0].text", of_mallory)
    for method in ("Join", "Publish", "Leave", "ListParticipants"):
        yield Row(f"{method} of 2 MB", method, some_bytes(77, bytes(2_000_000)), TOO_MUCH, session=of_mallory)
    empty = {"Join": "participant", "Publish": "messages", "Leave": "number"}
    for method, at_fault in empty.items():
        yield Row(f"{method}, empty", method, b"", INVALID, at_fault, of_mallory)
    yield Row("Join, NUL bytes", "Join", bytes(1000), INVALID)
    yield Row("Join, 0xff bytes", "Join", b"\xff" * 1000, INVALID)
    yield Row("Publish, random text", "Publish", b"GET / HTTP/1.1\r\n\r\n", INVALID, session=of_mallory)
    yield Row("a bad request behind a good one", "Publish", (publish(message(2)), b"\xff"), INVALID, session=of_trudy)
    yield Row("nothing behind Publish", "Publish", (), OK, session=of_mallory)


def method_rows() -> Iterator[Row]:
    for path in (
        "/chitty.v1.ChittyChat/Nope",
        "/chitty.v1.ChittyChat/join",
        "/chitty.v1.ChittyChat/",
        "/chitty.v1.ChittyChat/Join/",
        "/chitty.v2.ChittyChat/Join",
        "/ChittyChat/Join",
        "//Join",
        "/",
        "/../../etc/passwd",
        "/%s%n",
        "/" + "x" * 4000,
        "/grpc.health.v1.Health/Nope",
    ):
        yield Row(f"the method {path[:40]}", path, join(), NO_METHOD)


def rows() -> list[Row]:
    """Return the whole table."""
    made = [
        *name_rows(),
        *text_rows(),
        *utf8_rows(),
        *truncated_rows(),
        *encoding_rows(),
        *number_rows(),
        *cursor_rows(),
        *session_rows(),
        *replay_rows(),
        *amount_rows(),
        *method_rows(),
    ]
    assert len({row.name for row in made}) == len(made), "a row is known by its name"
    return [replace(row, name=row.name.encode("ascii", "backslashreplace").decode()) for row in made]
