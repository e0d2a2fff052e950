"""Who may come in: the join secret, and certificates that have to name whoever shows them.

Decides from a call's metadata and its peer alone; what depends on order is the hub's.
"""

from collections.abc import Callable
from typing import Any

from grpc.aio import ServicerContext

from chitty.core.errors import NotPermitted
from chitty.core.hub import Member
from chitty.core.names import fold
from chitty.wire import secret, tls

_REMEMBERED = 20_000  # sessions: of those who are about to join, or have left and may repeat what they said

Context = ServicerContext[Any, Any]


class Admission:
    """What a service asks of its callers: `secret` of those who join or look around, unless it is empty.

    With `named` a caller's certificate must name the participant that it joins as, or whose session it uses: a
    session that was stolen is of no use to the holder of another certificate.
    """

    def __init__(self, joining: str, *, named: bool, member: Callable[[str], Member | None]) -> None:
        self._secret = joining
        self._named = named
        self._member = member
        self._holders: dict[str, str] = {}

    def admit(self, context: Context) -> None:
        """Let those pass who know the secret.

        Raises:
            WrongSecret: the call does not carry it.
        """
        if self._secret:
            secret.check(self._secret, context.invocation_metadata())

    def check_name(self, context: Context, incarnation: str, name: str) -> None:
        """Let those pass who may join as `name`.

        Raises:
            NotPermitted: the certificate names somebody else.
        """
        if not self._named:
            return
        _check(context, fold(name), f"be {name!r}")
        self._holders.setdefault(incarnation, fold(name))
        if len(self._holders) > _REMEMBERED:
            del self._holders[next(iter(self._holders))]

    def check_holder(self, context: Context, incarnation: str) -> None:
        """Let those pass whose certificate names whoever joined by the session that they use, or is about to.

        One that nobody has joined by passes too, for the hub to refuse: the caller submits its command before
        anybody else is asked, so that no later Join comes before it.

        Raises:
            NotPermitted: the certificate names somebody else.
        """
        if not self._named:
            return
        member = self._member(incarnation)
        holder = member.key if member is not None else self._holders.get(incarnation)
        if holder is not None:
            _check(context, holder, "use a session that another participant joined by")


def _check(context: Context, key: str, purpose: str) -> None:
    named = tls.names_in(context.auth_context())
    if key not in named:
        whom = ", ".join(repr(name) for name in sorted(named)) or "nobody"
        raise NotPermitted(
            f"the certificate names {whom}, and may not {purpose}: join by the name in it,"
            " or with a certificate of that name, as `chitty certs DIR NAME` makes it"
        )
