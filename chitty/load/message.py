"""The text that load consists of: it can be counted and dated in bytes that nobody decoded. Pure.

Every system that is measured carries the same text, so that the bytes of a message are the same.
"""

import time

MARK = "=chitty="
"""In every message once, and in nothing else that travels."""

SIZE = 64
"""Characters of a message, and its bytes."""

_MARK = MARK.encode()
_DIGITS = 16
_PADDING = "." * (SIZE - len(MARK) - _DIGITS)


def now() -> int:
    """Return the time in nanoseconds, of a clock that all processes of the machine share (CLOCK_MONOTONIC)."""
    return time.monotonic_ns()


def text() -> str:
    """Return a message that is said now."""
    return f"{MARK}{now():0{_DIGITS}x}{_PADDING}"


def count(data: bytes) -> int:
    """Return how many messages these bytes hold."""
    return data.count(_MARK)


def oldest(data: bytes) -> int:
    """Return when the first message in these bytes was said, in nanoseconds; 0 where none is whole."""
    return _said(data, data.find(_MARK))


def newest(data: bytes) -> int:
    """Return when the last message in these bytes was said, in nanoseconds; 0 where none is whole."""
    return _said(data, data.rfind(_MARK))


def _said(data: bytes, at: int) -> int:
    digits = data[at + len(_MARK) : at + len(_MARK) + _DIGITS]
    return int(digits, 16) if at >= 0 and len(digits) == _DIGITS else 0
