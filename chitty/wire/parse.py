"""Bytes of a request to a message, with the field at fault named when they are none.

Parsing here, and not in gRPC's own deserializer, is what makes invalid UTF-8 INVALID_ARGUMENT: there it
would be UNKNOWN, without a word, and before any code of ours runs.
"""

from functools import cache
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from chitty.core.errors import InvalidArgument
from chitty.wire import chitty_pb2

M = TypeVar("M", bound=Message)


def parse(kind: type[M], data: bytes) -> M:
    """Return the message that `data` encodes.

    Raises:
        InvalidArgument: it encodes none; a field that is not UTF-8 is named.
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        name = kind.DESCRIPTOR.name
        try:
            lenient = _lenient(kind.DESCRIPTOR.full_name).FromString(data)
        except DecodeError:
            raise InvalidArgument(f"the request is not a {name}: its encoding is malformed or cut off") from None
        field = _not_utf8(lenient)
        raise InvalidArgument(f"{field or name} is not valid UTF-8", field=field) from None


@cache
def _lenient(full_name: str) -> type[Message]:
    """Return a message class of the same shape, with bytes for every string."""
    file = descriptor_pb2.FileDescriptorProto()
    chitty_pb2.DESCRIPTOR.CopyToProto(file)
    for message in file.message_type:
        for field in message.field:
            if field.type == field.TYPE_STRING:
                field.type = field.TYPE_BYTES
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))


def _not_utf8(message: Message) -> str:
    """Return the path of the first field whose bytes are not UTF-8, or nothing."""
    for descriptor, value in message.ListFields():
        repeated = descriptor.is_repeated
        for index, item in enumerate(value if repeated else [value]):
            path = f"{descriptor.name}[{index}]" if repeated else descriptor.name
            if descriptor.type == FieldDescriptor.TYPE_MESSAGE:
                inner = _not_utf8(item)
                if inner:
                    return f"{path}.{inner}"
            elif descriptor.type == FieldDescriptor.TYPE_BYTES and not _is_utf8(item):
                return path
    return ""


def _is_utf8(value: Any) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
