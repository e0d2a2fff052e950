"""What supervisord asks of the system before it starts, and whether this account may have it."""

import resource
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the kernel: what it counts, its option of the shell's `ulimit`, and how many supervisord needs."""

    number: int
    what: str
    option: str
    needed: int


_LIMITS = (
    Limit(resource.RLIMIT_NOFILE, "open files", "n", 4096),  # minfds of supervisord.conf
    Limit(resource.RLIMIT_NPROC, "processes", "u", 200),  # supervisord's own default
)


def shortage() -> str:
    """Return which limit is too low and how to raise it, empty when supervisord can have what it needs."""
    for limit in _LIMITS:
        _, hard = resource.getrlimit(limit.number)
        if hard != resource.RLIM_INFINITY and hard < limit.needed and not _can_raise(limit):
            return (
                f"at most {hard} {limit.what} are allowed, and supervisord needs {limit.needed}: run chitty in a shell"
                f" where `ulimit -H{limit.option}` says at least {limit.needed}"
            )
    return ""


def open_files() -> str:
    """Return how many open files are allowed, in words."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return "any number" if hard == resource.RLIM_INFINITY else str(hard)


def _can_raise(limit: Limit) -> bool:
    """Tell whether this process may raise a hard limit; trying is the only way to know, and it is put back."""
    before = resource.getrlimit(limit.number)
    try:
        resource.setrlimit(limit.number, (before[0], limit.needed))
    except (OSError, ValueError):
        return False
    resource.setrlimit(limit.number, before)
    return True
