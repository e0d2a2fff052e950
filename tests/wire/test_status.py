"""Refusals on the wire: what is sent is what arrives, also from services that send less."""

import re

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from chitty import resources
from chitty.core import errors
from chitty.core.errors import (
    AlreadyJoined,
    InvalidArgument,
    NameTaken,
    Refusal,
    Unavailable,
    UnknownSession,
    Untrusted,
    WrongSecret,
)
from chitty.wire import status

SENT = [cls for cls in Refusal.__subclasses__() if cls is not Untrusted]  # by a participant, of a service


def packed(*details: object) -> tuple[tuple[str, bytes], ...]:
    message = status_pb2.Status()
    for detail in details:
        message.details.add().Pack(detail)
    return ((status.DETAILS, message.SerializeToString()),)


def info(reason: str, domain: str = "chitty.v1") -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=domain)


@pytest.mark.parametrize("cls", SENT)
def test_a_refusal_arrives_as_what_it_was(cls):
    sent = cls("no", field="messages[2].text", retry_after=1.5)
    came = status.refusal(status.code_of(sent), str(sent), status.trailers(sent))
    assert type(came) is cls
    assert (str(came), came.field, came.retry_after) == ("no", "messages[2].text", 1.5)


@pytest.mark.parametrize("cls", SENT)
def test_the_details_have_the_reason_and_the_domain(cls):
    ((_, data),) = status.trailers(cls("no"))
    (detail,) = status_pb2.Status.FromString(data).details
    found = error_details_pb2.ErrorInfo()
    assert detail.Unpack(found)
    assert (found.reason, found.domain) == (cls.reason, "chitty.v1")


def test_no_two_refusals_have_the_same_reason():
    reasons = [cls.reason for cls in SENT]
    assert len(set(reasons)) == len(reasons) == len([reason for reason in reasons if reason])


@pytest.mark.parametrize(
    ("metadata", "cls"),
    [
        (None, UnknownSession),
        ((), UnknownSession),
        (packed(), UnknownSession),
        (packed(info("WRONG_SECRET")), WrongSecret),
        (packed(info("UNKNOWN_SESSION")), UnknownSession),
        (packed(info("OF_A_LATER_VERSION")), UnknownSession),
        (packed(info("WRONG_SECRET", "example.com")), UnknownSession),
        (packed(info("NAME_TAKEN")), UnknownSession),
        (((status.DETAILS, b"\xff\xff"),), UnknownSession),
        (((status.DETAILS, "no bytes"),), UnknownSession),
    ],
)
def test_without_a_reason_that_fits_the_status_decides(metadata, cls):
    assert type(status.refusal(grpc.StatusCode.UNAUTHENTICATED, "no", metadata)) is cls


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (grpc.StatusCode.ALREADY_EXISTS, NameTaken),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidArgument),
        (grpc.StatusCode.INTERNAL, Refusal),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
        (grpc.StatusCode.CANCELLED, Unavailable),
    ],
)
def test_a_status_alone_is_a_refusal(code, cls):
    assert type(status.refusal(code, None, None)) is cls


def test_what_was_not_answered_says_so_in_a_sentence():
    came = status.refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", None)
    assert str(came) == "the service did not answer in time: try again"


def test_a_reason_tells_already_joined_from_a_taken_name():
    assert type(errors.refusal_of("ALREADY_EXISTS", "no", reason="ALREADY_JOINED")) is AlreadyJoined


def test_the_interface_lists_every_reason_with_its_status():
    proto = resources.path("proto/chitty.proto").read_text(encoding="utf-8")
    listed = re.findall(r"^//   ([A-Z_]+) +([A-Z_]+) +\S", proto, re.MULTILINE)
    assert sorted(listed) == sorted((cls.reason, cls.status) for cls in SENT)
