"""What the service offers: methods, their streams and their messages, from the descriptor that gRPC itself uses.

What is said about them is read from the comments of proto/chitty.proto. Knows no page.
"""

import re
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

from chitty.wire import chitty_pb2

_KINDS = {
    (False, False): "unary",
    (False, True): "server-side streaming",
    (True, False): "client-side streaming",
    (True, True): "bidirectional streaming",
}
_OPENS = re.compile(r"(?:message|enum|service) (\w+) \{")
_DECLARES = re.compile(r"(?:rpc (\w+)\(|(?:[\w. ]+ )?(\w+) = \d+;)")
_REMARK = re.compile(r"\s*//\s?(.*)")


@dataclass(frozen=True, slots=True)
class Method:
    """A call: its name, its kind of streaming, and the messages of both ways."""

    name: str
    kind: str
    request: str
    response: str
    about: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message, or a value of an enumeration, which has no type."""

    name: str
    type: str
    number: int
    about: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the wire, or an enumeration."""

    name: str
    kind: str
    fields: tuple[Field, ...]


def methods(remarks: dict[str, str]) -> list[Method]:
    """Return the methods of the service, in the order of its definition; `remarks` is what was said of each."""
    (service,) = _file().service
    return [_method(service.name, method, remarks) for method in service.method]


def messages(remarks: dict[str, str]) -> list[Message]:
    """Return the messages and enumerations, each enumeration before the message that holds it."""
    found: list[Message] = []
    for message in _file().message_type:
        found += [_enum(message.name, enum, remarks) for enum in message.enum_type]
        found.append(_message(message, remarks))
    return found


def remarks(proto: str) -> dict[str, str]:
    """Return the comments before and behind each declaration of a .proto file, by `Message.field`."""
    found: dict[str, str] = {}
    within: list[str] = []
    waiting: list[str] = []
    for line in map(str.strip, proto.splitlines()):
        code, _, behind = line.partition("//")
        if not code:
            waiting = [*waiting, behind.strip()] if behind else []
            continue
        declared = _DECLARES.match(code)
        if opened := _OPENS.match(code):
            within.append(opened[1])
        elif declared:
            name = declared[1] or declared[2]
            found[".".join([*within, name])] = " ".join([*waiting, behind.strip()]).strip()
        waiting = []
        within = within[: len(within) - code.count("}")]
    return found


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto()
    chitty_pb2.DESCRIPTOR.CopyToProto(file)
    return file


def _method(service: str, method: MethodDescriptorProto, remarks: dict[str, str]) -> Method:
    return Method(
        method.name,
        _KINDS[method.client_streaming, method.server_streaming],
        _local(method.input_type),
        _local(method.output_type),
        remarks.get(f"{service}.{method.name}", ""),
    )


def _message(message: DescriptorProto, remarks: dict[str, str]) -> Message:
    fields = tuple(
        Field(field.name, _type(field), field.number, remarks.get(f"{message.name}.{field.name}", ""))
        for field in message.field
    )
    return Message(message.name, "message", fields)


def _enum(within: str, enum: EnumDescriptorProto, remarks: dict[str, str]) -> Message:
    name = f"{within}.{enum.name}"
    values = tuple(Field(value.name, "", value.number, remarks.get(f"{name}.{value.name}", "")) for value in enum.value)
    return Message(name, "enum", values)


def _type(field: FieldDescriptorProto) -> str:
    name = _local(field.type_name) or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"repeated {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def _local(type_name: str) -> str:
    return type_name.removeprefix(f".{_file().package}.")
