"""Messages of the wire to and from the values of the core. Knows no call and no connection."""

from collections.abc import Iterable, Sequence

from chitty.core.event import Event, Kind, Message, Reason, Receipt
from chitty.wire import chitty_pb2 as pb

_KIND_TO_WIRE = {
    Kind.JOINED: pb.Event.JOINED,
    Kind.PUBLISHED: pb.Event.PUBLISHED,
    Kind.LEFT: pb.Event.LEFT,
}
_REASON_TO_WIRE = {
    None: pb.Event.REASON_UNSPECIFIED,
    Reason.ASKED: pb.Event.ASKED,
    Reason.LOST: pb.Event.LOST,
    Reason.EXPELLED: pb.Event.EXPELLED,
}
_KIND = {number: kind for kind, number in _KIND_TO_WIRE.items()}
_REASON = {number: reason for reason, number in _REASON_TO_WIRE.items()}


def frame(event: Event) -> bytes:
    """Return an event as the bytes of a JoinResponse that holds it alone.

    Frames concatenate: the bytes of several, one after the other, are a JoinResponse that holds all of
    them, because a repeated field may be written in parts (Protocol Buffers encoding, "last one wins").
    """
    response = pb.JoinResponse()
    response.events.add(  # a message that is made by itself is copied into the one that holds it
        sequence=event.sequence,
        lamport=event.lamport,
        kind=_KIND_TO_WIRE[event.kind],
        participant=event.participant,
        text=event.text,
        cause=event.cause,
        reason=_REASON_TO_WIRE[event.reason],
    )
    return response.SerializeToString()


def epoch_frame(epoch: str) -> bytes:
    """Return the beginning of the first JoinResponse; frames of events may follow it."""
    return pb.JoinResponse(epoch=epoch).SerializeToString()


def events(response: pb.JoinResponse) -> list[Event]:
    """Return the events of a response, in their order."""
    return [
        Event(
            event.sequence,
            event.lamport,
            _KIND[event.kind],
            event.participant,
            event.text,
            event.cause,
            _REASON[event.reason],
        )
        for event in response.events
    ]


def to_messages(request: pb.PublishRequest) -> tuple[Message, ...]:
    """Return what a request says, unchecked."""
    return tuple(Message(message.number, message.lamport, message.text) for message in request.messages)


def publish_request(messages: Iterable[Message]) -> pb.PublishRequest:
    """Return a request that says `messages`."""
    request = pb.PublishRequest()
    for said in messages:
        request.messages.add(number=said.number, lamport=said.stamped, text=said.text)
    return request


def publish_response(receipts: Sequence[Receipt]) -> bytes:
    """Return the bytes of the answer to a request."""
    response = pb.PublishResponse()
    for receipt in receipts:
        response.receipts.add(number=receipt.number, sequence=receipt.sequence, lamport=receipt.lamport)
    return response.SerializeToString()


def to_wire(receipt: Receipt) -> pb.Receipt:
    """Return a receipt as the wire has it."""
    return pb.Receipt(number=receipt.number, sequence=receipt.sequence, lamport=receipt.lamport)


def from_wire(receipt: pb.Receipt) -> Receipt:
    """Return a receipt as the core has it."""
    return Receipt(receipt.number, receipt.sequence, receipt.lamport)
