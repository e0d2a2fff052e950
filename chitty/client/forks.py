"""gRPC does not survive a fork: its threads are missing in the child, where every call would hang.

Knows which process uses it, and nothing of what for.
"""

import os

from chitty.core.errors import Forked

_users: set[int] = set()


def note_use() -> None:
    """Note that this process uses gRPC from now on.

    Raises:
        Forked: a process that it was forked from did so before.
    """
    check()
    _users.add(os.getpid())


def is_forked() -> bool:
    """Tell whether this process was forked from one that used gRPC."""
    return bool(_users) and os.getpid() not in _users


def check() -> None:
    """Do nothing in a process that may use gRPC.

    Raises:
        Forked: it was forked from one that did.
    """
    if is_forked():
        raise Forked(
            f"process {min(_users)} had a session when this one was forked from it, and gRPC does not survive a fork:"
            " fork before you join, or start the child with multiprocessing's spawn method"
        )
