"""Names that a shell may complete. Reads files only, answers at once, and never fails."""

from collections.abc import Callable, Iterable, Iterator

from chitty import process
from chitty.core.errors import ChittyError
from chitty.stack import members
from chitty.stack.layout import SERVER, Layout


def running(directory: str, beginning: str) -> list[str]:
    """Return the participants whose process lives."""
    return _matching(lambda: _running(Layout.of(directory)), beginning)


def targets(directory: str, beginning: str) -> list[str]:
    """Return all participants, ended ones too, and the server."""
    return _matching(lambda: [SERVER, *_all(Layout.of(directory))], beginning)


def known(directory: str, beginning: str) -> list[str]:
    """Return all participants, ended ones too."""
    return _matching(lambda: _all(Layout.of(directory)), beginning)


def _all(layout: Layout) -> Iterator[str]:
    return (str(told["name"]) for _, told in members.clients(layout))


def _running(layout: Layout) -> Iterator[str]:
    for slug, told in members.clients(layout):
        if process.publisher(layout.ready / slug):
            yield str(told["name"])


def _matching(names: Callable[[], Iterable[str]], beginning: str) -> list[str]:
    try:
        return [name for name in names() if name.startswith(beginning)]
    except (OSError, ChittyError):
        return []
