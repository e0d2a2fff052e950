"""Every error that Chitty-Chat raises on purpose, in one tree. Knows no transport and no exit code.

ChittyError
    Refusal                     the service said no; `status` is the canonical gRPC status name
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
    Unacknowledged              a message whose fate the participant cannot know
    SessionEnded                the library was asked to speak after its end
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
        field: path of the field at fault in the request, such as `messages[2].text`, or empty.
        retry_after: seconds after which a repeat may succeed, or None.
    """

    status: ClassVar[str] = "UNKNOWN"

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


class NameTaken(Refusal):
    """Another participant holds the name."""

    status = "ALREADY_EXISTS"


class AlreadyJoined(Refusal):
    """The session is a participant already, by another message."""

    status = "ALREADY_EXISTS"


class UnknownSession(Refusal):
    """The call carries no session, or one that is not a participant's."""

    status = "UNAUTHENTICATED"


class WrongSecret(Refusal):
    """The service asks for a secret, and the call carries none or another one."""

    status = "UNAUTHENTICATED"


class Untrusted(Refusal):
    """The participant refuses the service: it is not who it should be, or would read a secret on the way."""

    status = "UNAUTHENTICATED"


class NotPermitted(Refusal):
    """The session is known, but may not do this."""

    status = "PERMISSION_DENIED"


class LimitExceeded(Refusal):
    """A limit of the service is reached."""

    status = "RESOURCE_EXHAUSTED"


class CursorTooOld(Refusal):
    """The events asked for are not kept any more."""

    status = "OUT_OF_RANGE"


class PreconditionFailed(Refusal):
    """The request belongs to another epoch, or to a membership that has ended: join anew."""

    status = "FAILED_PRECONDITION"


class TakenOver(Refusal):
    """A newer Join of the same session took the membership over."""

    status = "ABORTED"


class Unavailable(Refusal):
    """The service drains or cannot be reached: try again later."""

    status = "UNAVAILABLE"


_BY_STATUS: dict[str, type[Refusal]] = {
    cls.status: cls
    for cls in (
        InvalidArgument,
        NameTaken,
        UnknownSession,
        NotPermitted,
        LimitExceeded,
        CursorTooOld,
        PreconditionFailed,
        TakenOver,
        Unavailable,
    )
}


def refusal_of(status: str, message: str, *, field: str = "", retry_after: float | None = None) -> Refusal:
    """Return the refusal that a canonical status name stands for; an unknown one is a plain Refusal."""
    return _BY_STATUS.get(status, Refusal)(message, field=field, retry_after=retry_after)


class Unacknowledged(ChittyError):
    """No receipt came, and none will: the message may or may not have been broadcast."""


class SessionEnded(ChittyError):
    """The session is over: nothing more can be published on it."""


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
