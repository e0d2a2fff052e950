"""Every error that Chitty-Chat raises on purpose, in one tree. Knows no transport and no exit code.

ChittyError
    Refusal                     the service said no; `status` is the canonical gRPC status name, and `reason` the
                                one of google.rpc.ErrorInfo, which tells apart what shares a status
        InvalidArgument         INVALID_ARGUMENT; `field` is the field at fault
        NameTaken               ALREADY_EXISTS
        AlreadyJoined           ALREADY_EXISTS
        UnknownSession          UNAUTHENTICATED
        WrongSecret             UNAUTHENTICATED: the join secret is missing or another one
        Untrusted               UNAUTHENTICATED: the participant does not trust the service; nobody was asked
        NotPermitted            PERMISSION_DENIED
        LimitExceeded           RESOURCE_EXHAUSTED
        CursorTooOld            OUT_OF_RANGE
        PreconditionFailed      FAILED_PRECONDITION: another epoch, or a membership that has ended
        TakenOver               ABORTED: a newer Join of the same session goes on
        Unavailable             UNAVAILABLE: draining, or not reachable; try again
    Unacknowledged              no receipt came: the message may or may not have been broadcast
    SessionEnded                the session has not begun or is over
    SessionReused               a session was entered a second time
    Forked                      a session was used after a fork, which gRPC does not survive
    EventsDropped               the iterator cannot give events that were dropped
    CannotListen                the service cannot have its address
    StorageFailed               what keeps the ordered log cannot be used: full, read-only, damaged, or another's
    SettingsError               a setting, name or option is not usable
    StackError                  the launcher could not do it
        NotRunning              there is no running stack in that directory
        NoSuchParticipant       the stack has no participant of that name
        AlreadyExists           it exists, with other options
        TimedOut                it did not happen before the deadline
    NotInstalled                it needs a package that is an extra
    Unexpected                  a scenario went otherwise than it says
"""

from typing import ClassVar


class ChittyError(Exception):
    """The root: its text names the value at fault and the remedy, in one line."""


class Refusal(ChittyError):
    """The service refused a request, and no clock of the hub moved.

    Attributes:
        status: canonical name of the gRPC status.
        reason: what google.rpc.ErrorInfo calls it on the wire (proto/chitty.proto lists them); empty for what never
            travels.
        field: path of the field at fault in the request, such as `messages[2].text`, or empty.
        retry_after: seconds after which a repeat may succeed, or None.
    """

    status: ClassVar[str] = "UNKNOWN"
    reason: ClassVar[str] = ""

    def __init__(self, message: str, *, field: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.retry_after = retry_after

    def within(self, prefix: str) -> "Refusal":
        """Return the same refusal with `prefix` before its field, for a field of an outer message."""
        return type(self)(str(self), field=prefix + self.field, retry_after=self.retry_after)


class InvalidArgument(Refusal):
    """A field of the request breaks a rule whatever the state of the service."""

    status = "INVALID_ARGUMENT"
    reason = "INVALID_ARGUMENT"


class NameTaken(Refusal):
    """Another participant holds the name."""

    status = "ALREADY_EXISTS"
    reason = "NAME_TAKEN"


class AlreadyJoined(Refusal):
    """The session is a participant already, by another message."""

    status = "ALREADY_EXISTS"
    reason = "ALREADY_JOINED"


class UnknownSession(Refusal):
    """The call carries no session, or one that is not a participant's."""

    status = "UNAUTHENTICATED"
    reason = "UNKNOWN_SESSION"


class WrongSecret(Refusal):
    """The service asks for a secret, and the call carries none or another one."""

    status = "UNAUTHENTICATED"
    reason = "WRONG_SECRET"


class Untrusted(Refusal):
    """The participant refuses the service: it is not who it should be, or would read a secret on the way."""

    status = "UNAUTHENTICATED"


class NotPermitted(Refusal):
    """The session is known, but may not do this."""

    status = "PERMISSION_DENIED"
    reason = "NOT_PERMITTED"


class LimitExceeded(Refusal):
    """A limit of the service is reached."""

    status = "RESOURCE_EXHAUSTED"
    reason = "LIMIT_EXCEEDED"


class CursorTooOld(Refusal):
    """The events asked for are not kept any more."""

    status = "OUT_OF_RANGE"
    reason = "CURSOR_TOO_OLD"


class PreconditionFailed(Refusal):
    """The request belongs to another epoch, or to a membership that has ended: join anew."""

    status = "FAILED_PRECONDITION"
    reason = "PRECONDITION_FAILED"


class TakenOver(Refusal):
    """A newer Join of the same session took the membership over."""

    status = "ABORTED"
    reason = "TAKEN_OVER"


class Unavailable(Refusal):
    """The service drains or cannot be reached: try again later."""

    status = "UNAVAILABLE"
    reason = "UNAVAILABLE"


def cause(error: OSError) -> str:
    """Return in words why the operating system refused, for an error text of ours; never empty, and never None.

    An OSError that Python raises itself, such as for a socket's path that is too long, has no `strerror`.
    """
    return error.strerror or str(error) or type(error).__name__


_TRAVELLING: tuple[type[Refusal], ...] = (
    InvalidArgument,
    NameTaken,
    AlreadyJoined,
    UnknownSession,
    WrongSecret,
    NotPermitted,
    LimitExceeded,
    CursorTooOld,
    PreconditionFailed,
    TakenOver,
    Unavailable,
)
_BY_REASON = {cls.reason: cls for cls in _TRAVELLING}
_BY_STATUS = {cls.status: cls for cls in reversed(_TRAVELLING)}  # of those of one status the first is meant


def refusal_of(
    status: str, message: str, *, reason: str = "", field: str = "", retry_after: float | None = None
) -> Refusal:
    """Return the refusal that a canonical status name and a reason stand for.

    The reason decides if it is known and belongs to the status. Otherwise the status does: a service may send no
    reason. An unknown status is a plain Refusal.
    """
    cls = _BY_STATUS.get(status, Refusal)
    named = _BY_REASON.get(reason, cls)
    return (named if named.status == status else cls)(message, field=field, retry_after=retry_after)


class Unacknowledged(ChittyError):
    """No receipt came, and none will: the message may or may not have been broadcast."""


class SessionEnded(ChittyError):
    """The session has not begun or is over."""


class SessionReused(ChittyError):
    """A session was entered a second time: it is one participant, from one join to one leave."""


class Forked(ChittyError):
    """The process was forked from one that had a session: gRPC does not survive that."""


class EventsDropped(ChittyError):
    """The iterator cannot give events that were dropped: nobody took them in time, or nobody was to take any."""


class CannotListen(ChittyError):
    """The address that the service is to listen on is taken, or not this machine's."""


class StorageFailed(ChittyError):
    """What keeps the ordered log cannot be read or written; the text names it, why, and what to do."""


class SettingsError(ChittyError):
    """A setting, a name or an option is not usable; the text says which and what would be."""


class StackError(ChittyError):
    """The launcher could not do what was asked."""


class NotRunning(StackError):
    """No stack runs in that directory."""


class NoSuchParticipant(StackError):
    """The stack has no participant of that name."""


class AlreadyExists(StackError):
    """A participant of that name exists, with other options."""


class TimedOut(StackError):
    """It did not happen before the deadline."""


class NotInstalled(ChittyError):
    """It needs a package that comes with an extra; the text says how to install it."""


class Unexpected(ChittyError):
    """A scenario went otherwise than it says; the text names what was expected and what was found."""
