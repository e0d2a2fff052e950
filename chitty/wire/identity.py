"""Who calls: sessions, which are secret, and incarnations, which are public. Knows no name of anybody."""

import hashlib
import re
import secrets
from collections.abc import Iterable

from chitty.core.errors import UnknownSession

_KEY = "authorization"
_SCHEME = "Bearer "
_SESSION = re.compile(r"[A-Za-z0-9_-]{22,128}")


def new_session() -> str:
    """Return a new secret of 128 random bits, as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def incarnation_of(session: str) -> str:
    """Return the public identity of a session: the first 16 hex digits of the SHA-256 of its characters."""
    return hashlib.sha256(session.encode("ascii")).hexdigest()[:16]


def credentials(session: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata that a call of this session carries."""
    return ((_KEY, _SCHEME + session),)


def authenticate(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Return the incarnation of the caller.

    Raises:
        UnknownSession: there is no session in the metadata, or it is not one; the text never repeats it.
    """
    for key, value in metadata or ():
        if key == _KEY and isinstance(value, str) and value.startswith(_SCHEME):
            session = value.removeprefix(_SCHEME)
            if _SESSION.fullmatch(session) is None:
                raise UnknownSession(
                    f"a session of {len(session)} characters is not one: it is 128 random bits,"
                    " written as 22 to 128 characters of A-Z, a-z, 0-9, '-' and '_'"
                )
            return incarnation_of(session)
    raise UnknownSession("the call carries no session: send metadata 'authorization: Bearer SESSION'")
