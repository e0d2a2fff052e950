"""Where the files that come with Chitty-Chat are: proto/, conf/ and supervisord.conf.

An installed package carries them in chitty/data; a checkout has them at its top.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def path(relative: str) -> Path:
    """Return the path of a file that comes with the package, such as `conf/chitty.yaml`."""
    installed = _PACKAGE / "data"
    return (installed if installed.is_dir() else _PACKAGE.parent) / relative
