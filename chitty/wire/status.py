"""Refusals to and from gRPC statuses with details (google.rpc.BadRequest, google.rpc.RetryInfo)."""

import contextlib
from collections.abc import Iterable

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from chitty.core.errors import Refusal, refusal_of

DETAILS = "grpc-status-details-bin"
"""The trailing metadata that carries a google.rpc.Status."""


def code_of(refusal: Refusal) -> grpc.StatusCode:
    """Return the gRPC status code of a refusal."""
    return grpc.StatusCode[refusal.status]


def trailers(refusal: Refusal) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata with a refusal's details; empty when it has none."""
    number, _ = code_of(refusal).value
    status = status_pb2.Status(code=number, message=str(refusal))
    if refusal.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=refusal.field, description=str(refusal))
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if refusal.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(refusal.retry_after * 1e9))
        status.details.add().Pack(retry)
    return ((DETAILS, status.SerializeToString()),) if status.details else ()


def refusal(code: grpc.StatusCode, text: str | None, metadata: Iterable[tuple[str, str | bytes]] | None) -> Refusal:
    """Return what a call was refused for that ended with a status code, details and trailing metadata."""
    field, retry_after = _details(metadata or ())
    return refusal_of(code.name, text or code.name, field=field, retry_after=retry_after)


def _details(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[str, float | None]:
    field, retry_after = "", None
    packed = dict(metadata).get(DETAILS, b"")
    with contextlib.suppress(DecodeError):
        for detail in status_pb2.Status.FromString(packed if isinstance(packed, bytes) else b"").details:
            bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
            if detail.Unpack(bad) and bad.field_violations:
                field = bad.field_violations[0].field
            elif detail.Unpack(retry):
                retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    return field, retry_after
