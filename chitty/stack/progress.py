"""How far a stack has come while it starts, on a terminal. Knows only what it is told at each look."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from chitty.stack.members import Members
from chitty.stack.waiting import Watch


@contextmanager
def shown(*, wanted: bool) -> Iterator[Watch | None]:
    """Show a bar on standard error while what is within runs, if that is a terminal; it is gone afterwards."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and of use on a terminal only
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting the server", total=None)

        def watch(now: Members, joined: int, total: int) -> None:
            doing = "participants joining" if now.server.serving else "starting the server"
            bar.update(task, description=doing, completed=joined, total=total or None)

        yield watch
