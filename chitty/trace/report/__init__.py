"""A run as a PDF: what the service is, what happened, what the logs prove, and the logs themselves.

    report.write(Path(".chitty"), Path("report.pdf"), Cover(title="Chitty-Chat", authors=("Ada", "Bob")))

The same logs give the same bytes. What a run says is data to the template, never markup.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chitty.core.errors import NotRunning, StackError, cause
from chitty.trace import check, glyphs, reading
from chitty.trace.causality import Causality
from chitty.trace.glyphs import Lacking, Print
from chitty.trace.reading import ALWAYS
from chitty.trace.report import contents, logs, typeset
from chitty.trace.report.contents import Cover

__all__ = ["Cover", "Made", "write"]


@dataclass(frozen=True, slots=True)
class Made:
    """What is in a report that its author should be told of.

    Attributes:
        lacking: characters that no font has; they are printed escaped, and listed.
        missing: requirements that the run does not document.
        linked: whether it says where the source code is.
    """

    target: Path
    lacking: list[Lacking]
    missing: list[str]
    linked: bool

    @property
    def warnings(self) -> Iterator[str]:
        """What is not as an author might expect, in words."""
        if self.missing:
            yield f"the run does not show: {', '.join(self.missing)}"
        if self.lacking:
            which = glyphs.named(self.lacking)
            yield f"no font has {which}: printed escaped, and listed; --fonts DIR gives more fonts"
        if not self.linked:
            yield "it has no link to the source code: --repo URL gives one"


def write(
    directory: Path,
    target: Path,
    cover: Cover | None = None,
    *,
    until: str = ALWAYS,
    alive: Callable[[int], bool] | None = None,
    fonts: Path | None = None,
) -> Made:
    """Typeset a report on the logs of a stack's directory, or of any folder of logs, and say what it lacks.

    Args:
        directory: where the logs are.
        target: the file to write; it is replaced as a whole.
        cover: what no log tells.
        until: lines with a later wall time are left out: for logs that grow.
        alive: tells of a pid whether it runs; without it nobody does, and the same logs give the same report.
        fonts: a folder of fonts to use beside those of typst.

    Raises:
        NotRunning: there are no logs there, or they hold no event.
        NotInstalled: typst is not.
        SettingsError: typst refuses.
        StackError: the target cannot be written.
    """
    cover = cover or Cover()
    data = _gathered(directory, cover, until, alive)
    fit = Print(typeset.lacking(glyphs.unusual(glyphs.texts(data)), fonts))
    diagram = fit.plain(data.pop("diagram"))
    data = {**fit.all(data), "diagram": diagram, "lacking": [asdict(one) for one in fit.lacking]}
    _replace(target, typeset.typeset(data, _when(data["run"]["began"]), fonts))
    missing = [one["name"] for one in data["requirements"] if not one["shown"]]
    return Made(target, fit.lacking, missing, bool(cover.repo))


def _gathered(directory: Path, cover: Cover, until: str, alive: Callable[[int], bool] | None) -> dict[str, Any]:
    history = reading.read(directory, until=until, alive=alive)
    causality = Causality(history)
    if not causality.order:
        raise NotRunning(f"there are no events in the logs in {directory}: `chitty up` starts a stack")
    verdict = check.check(directory, until=until, alive=alive)
    return contents.gather(cover, history, causality, verdict, logs.read(history.folder, until))


def _when(wall: str) -> datetime:
    """Return the time of a run as that of its report; a head is believed by its form, not by its calendar."""
    try:
        return datetime.fromisoformat(wall)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _replace(target: Path, pdf: bytes) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.write_bytes(pdf)
        part.replace(target)
    except OSError as error:
        raise StackError(f"cannot write {target}: {cause(error)}") from None
    finally:
        with suppress(OSError):  # where it may not even be looked for, there is none
            part.unlink(missing_ok=True)
