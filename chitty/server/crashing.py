"""Points at which a server ends as if by `kill -9`, for tests of what a crash leaves behind.

`CHITTY_CRASH_AT=log:3` kills it when it comes to the point `log` for the third time. The points, in the
order in which a batch passes them: `commit` (it is in the ordered log, and nobody knows), `log` (its lines
are written), `broadcast` (its events are on their way, its receipts are not).
"""

import os
import signal

_name, _, _count = os.environ.get("CHITTY_CRASH_AT", "").partition(":")
_left = int(_count) if _count.isdecimal() else 1


def point(name: str) -> None:
    """Pass a point, or end here."""
    global _left  # noqa: PLW0603 - one life, one count
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
