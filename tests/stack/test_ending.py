import errno
import os

import pytest

from chitty import process
from chitty.core.errors import StackError
from chitty.stack import ending
from chitty.stack.control import Stack
from chitty.stack.layout import Layout


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device; killing the stack"),
        (
            OSError(errno.EROFS, os.strerror(errno.EROFS), "/s/ready/bob"),
            "/s/ready/bob: Read-only file system; killing",
        ),
        (StackError("it did not end"), "it did not end; killing the stack"),
    ],
)
def test_a_stack_that_cannot_be_taken_down_is_killed(tmp_path, monkeypatch, error, says):
    told, killed = [], []

    def fail(_stack):
        raise error

    monkeypatch.setattr(ending, "down", fail)
    monkeypatch.setattr(ending, "kill", killed.append)
    stack = Stack(Layout.of(tmp_path), told.append)
    stack.adopt(process.Life(pid=2**22, started=1))  # which has ended
    ending.end(stack)
    assert killed == [stack]
    assert says in told[0]
