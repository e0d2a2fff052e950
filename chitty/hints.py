"""What an error recommends to install, as a command that works where it is shown.

Generated from what is: the Python that runs this, and what the package asks for. Knows nothing of what it is for.
"""

import shlex
import sys

from chitty import resources

_PACKAGE = "chitty-chat"


def install(extra: str) -> str:
    """Return the command that installs what an extra of the package needs, into the environment of this Python.

    It names the requirements themselves: the package may be in no index, and to install it again would replace a
    checkout's environment by a copy.
    """
    from importlib.util import find_spec  # noqa: PLC0415 - costs more than most commands, and only errors need it

    python = shlex.quote(sys.executable)
    pip = f"{python} -m pip" if find_spec("pip") else f"pip --python {python}"
    wanted = _requirements(extra)
    if not wanted:  # run from a source tree that was never installed
        source = f"{resources.path('.')}[{extra}]"
        return f"{pip} install -e {shlex.quote(source)}"
    return f"{pip} install {shlex.join(wanted)}"


def _requirements(extra: str) -> list[str]:
    from importlib import metadata  # noqa: PLC0415 - likewise

    try:
        lines = metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []
    parts = [line.partition(";")[::2] for line in lines]
    return [wanted.strip() for wanted, marker in parts if marker.replace("'", '"').strip() == f'extra == "{extra}"']
