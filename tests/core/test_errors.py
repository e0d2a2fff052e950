import errno
import os
from pathlib import Path

import pytest

import chitty
from chitty.core.errors import cause


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), "Permission denied"),
        (OSError("AF_UNIX path too long"), "AF_UNIX path too long"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_the_cause_of_an_os_error_is_always_words(error, words):
    assert cause(error) == words


def test_no_module_prints_an_os_error_in_another_way():
    root = Path(chitty.__file__).parent
    found = [path for path in root.rglob("*.py") if ".strerror" in path.read_text(encoding="utf-8")]
    assert found == [root / "core" / "errors.py"]
