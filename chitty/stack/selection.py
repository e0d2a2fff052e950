"""Which logs and which of their lines a person asked for."""

import re
import resource
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from chitty import logfile
from chitty.core.errors import NoSuchParticipant, NotRunning, SettingsError
from chitty.core.names import fold
from chitty.stack import members, tail
from chitty.stack.layout import SERVER, Layout, slug
from chitty.stack.show import View
from chitty.stack.tail import Filter, Line


def slugs(layout: Layout, names: Sequence[str], *, follow: bool) -> frozenset[str] | None:
    """Return the programs whose logs are meant, None for all.

    Raises:
        NotRunning: there are no logs.
        NoSuchParticipant: there is no log of one of the names.
    """
    if not layout.logs.is_dir() and not follow:
        raise NotRunning(f"there are no logs in {layout.directory}: `chitty up` starts a stack")
    if not names:
        return None
    return frozenset(_slug(layout, name) for name in names)


def wanted(since: str | None, grep: str | None) -> Filter:
    """Return the filter that options make.

    Raises:
        SettingsError: they are not usable.
    """
    return Filter(
        since=tail.moment(since, datetime.now(UTC)) if since else "",
        wanted=_matches(grep) if grep else None,
    )


def allow_open_files() -> None:
    """Raise the soft limit of open files to the hard one: a log and its backups are open together."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _slug(layout: Layout, name: str) -> str:
    own = SERVER if name == SERVER else slug(name)
    if logfile.logs(layout.logs, frozenset({own})):
        return own
    for other, told in members.clients(layout):
        if fold(str(told["name"])) == fold(name):
            return other
    raise NoSuchParticipant(f"there is no log of {name!r} in {layout.logs}")


def _matches(grep: str) -> Callable[[Line], bool]:
    """Match a line as it is in its file, or as a person reads it."""
    try:
        pattern = re.compile(grep)
    except re.error as error:
        raise SettingsError(f"{grep!r} is no regular expression: {error}") from None
    view = View()
    return lambda line: bool(pattern.search(line.text) or pattern.search(view.render(line)))
