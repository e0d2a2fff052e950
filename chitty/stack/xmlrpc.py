"""XML-RPC as supervisord speaks it: calls to XML, answers to values. Knows no connection.

The standard library's brings HTTP, TLS and mail along, and takes longer to import than a call takes.
"""

import binascii
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET


class Failed(Exception):
    """The answer is a fault."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def call(method: str, arguments: Sequence[Any]) -> bytes:
    """Return a call as XML. Arguments are text, bytes, numbers, booleans, and lists and dicts of them."""
    params = "".join(f"<param>{_written(argument)}</param>" for argument in arguments)
    text = f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    return text.encode("utf-8", "surrogatepass")


def answer(body: bytes) -> Any:
    """Return the value of an answer.

    Raises:
        Failed: it is a fault.
        ValueError: it is no answer.
    """
    try:
        response = ET.fromstring(body)  # noqa: S314 - from a supervisord of our own
    except ET.ParseError as error:
        raise ValueError(f"supervisord's answer is not XML: {error}") from None
    value = response.find("*//value")
    if value is None:
        raise ValueError("supervisord's answer has no value")
    read = _read(value)
    if response.find("fault") is not None:
        raise Failed(read["faultCode"], read["faultString"])
    return read


def _written(value: Any) -> str:
    if isinstance(value, bool):
        inner = f"<boolean>{value:d}</boolean>"
    elif isinstance(value, int):
        inner = f"<int>{value}</int>"
    elif isinstance(value, str):
        inner = f"<string>{_escaped(value)}</string>"
    elif isinstance(value, bytes):
        inner = f"<base64>{binascii.b2a_base64(value).decode()}</base64>"
    elif isinstance(value, dict):
        members = (f"<member><name>{_escaped(key)}</name>{_written(own)}</member>" for key, own in value.items())
        inner = f"<struct>{''.join(members)}</struct>"
    else:
        inner = f"<array><data>{''.join(map(_written, value))}</data></array>"
    return f"<value>{inner}</value>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _read(value: ET.Element) -> Any:
    if not len(value):  # without a type it is text
        return value.text or ""
    (typed,) = value
    match typed.tag:
        case "int" | "i4":
            return int(typed.text or "")
        case "boolean":
            return typed.text == "1"
        case "array":
            return [_read(item) for item in typed.iterfind("data/value")]
        case "struct":
            return {member.findtext("name"): _read(member[1]) for member in typed.iterfind("member")}
        case _:
            return typed.text or ""
