"""The command line: `chitty`, or `python -m chitty`.

Python may search the directory of the call for modules, and a file there may have the name of any module. It is taken
off the path before anything but `chitty` itself is imported, which is why `chitty/__init__.py` imports nothing.
"""

import os  # part of every interpreter, and imported by its start
import sys


def _leave_out_directory_of_call() -> None:
    """Take the directory of the call off the import path, of this process and of those that it starts.

    A relative entry of PYTHONPATH becomes absolute, because children run elsewhere.
    """
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib is not imported yet
    except OSError:
        return  # it was deleted, so nothing can be imported from it
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != here]
    searched = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    kept = [os.path.abspath(entry) for entry in searched if os.path.realpath(entry) != here or here == _home()]  # noqa: PTH100
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    else:
        os.environ.pop("PYTHONPATH", None)


def _home() -> str:
    """Return the directory that the package was found in: a child may find it by PYTHONPATH only."""
    return os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120


_leave_out_directory_of_call()

from chitty.cli import main  # noqa: E402 - nothing is imported before

if __name__ == "__main__":
    main()
