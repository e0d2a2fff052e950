"""Refusals to and from gRPC statuses with details (google.rpc.ErrorInfo, BadRequest and RetryInfo)."""

import contextlib
from collections.abc import Iterable
from typing import NamedTuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from chitty.core.errors import Refusal, Unavailable, refusal_of

DETAILS = "grpc-status-details-bin"
"""The trailing metadata that carries a google.rpc.Status."""


DOMAIN = "chitty.v1"
"""Of google.rpc.ErrorInfo: whose reasons they are."""


_UNANSWERED = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "the service did not answer in time: try again",
    grpc.StatusCode.CANCELLED: "the call was cancelled before its answer: try again",
}
"""Of statuses that gRPC makes itself, because no answer came."""


class _Details(NamedTuple):
    reason: str = ""
    field: str = ""
    retry_after: float | None = None


def code_of(refusal: Refusal) -> grpc.StatusCode:
    """Return the gRPC status code of a refusal."""
    return grpc.StatusCode[refusal.status]


def trailers(refusal: Refusal) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata with a refusal's details."""
    number, _ = code_of(refusal).value
    status = status_pb2.Status(code=number, message=str(refusal))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN))
    if refusal.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=refusal.field, description=str(refusal))
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if refusal.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(refusal.retry_after * 1e9))
        status.details.add().Pack(retry)
    return ((DETAILS, status.SerializeToString()),)


def refusal(code: grpc.StatusCode, text: str | None, metadata: Iterable[tuple[str, str | bytes]] | None) -> Refusal:
    """Return what a call was refused for that ended with a status code, details and trailing metadata.

    A service need not send any details. A call that ended before its answer says nothing of it: it is Unavailable.
    """
    if code in _UNANSWERED:
        return Unavailable(_UNANSWERED[code])
    return refusal_of(code.name, text or code.name, **_details(metadata or ())._asdict())


def _details(metadata: Iterable[tuple[str, str | bytes]]) -> _Details:
    found = _Details()
    packed = dict(metadata).get(DETAILS, b"")
    with contextlib.suppress(DecodeError):
        for detail in status_pb2.Status.FromString(packed if isinstance(packed, bytes) else b"").details:
            info, bad, retry = (
                error_details_pb2.ErrorInfo(),
                error_details_pb2.BadRequest(),
                error_details_pb2.RetryInfo(),
            )
            if detail.Unpack(info) and info.domain == DOMAIN:
                found = found._replace(reason=info.reason)
            elif detail.Unpack(bad) and bad.field_violations:
                found = found._replace(field=bad.field_violations[0].field)
            elif detail.Unpack(retry):
                found = found._replace(retry_after=retry.retry_delay.ToNanoseconds() / 1e9)
    return found
