"""A run as a PDF: what the service is, what happened, what the logs prove, and the logs themselves.

    report.write(Path(".chitty"), Path("report.pdf"), Cover(title="Chitty-Chat", authors=("Ada", "Bob")))

The same logs give the same bytes. What a run says is data to the template, never markup.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chitty.core.errors import NotRunning
from chitty.trace import check, reading
from chitty.trace.causality import Causality
from chitty.trace.reading import ALWAYS
from chitty.trace.report import contents, glyphs, logs, typeset
from chitty.trace.report.contents import Cover
from chitty.trace.report.glyphs import Lacking, Print

__all__ = ["Cover", "Made", "write"]


@dataclass(frozen=True, slots=True)
class Made:
    """What is in a report that its reader should be told of.

    Attributes:
        lacking: characters that no font has; they are printed escaped, and listed.
    """

    target: Path
    lacking: list[Lacking]


def write(
    directory: Path, target: Path, cover: Cover | None = None, *, until: str = ALWAYS, fonts: Path | None = None
) -> Made:
    """Typeset a report on the logs of a stack's directory, or of any folder of logs, and say what it lacks.

    Args:
        directory: where the logs are.
        target: the file to write; it is replaced as a whole.
        cover: what no log tells.
        until: lines with a later wall time are left out: for logs that grow.
        fonts: a folder of fonts to use beside those of typst.

    Raises:
        NotRunning: there are no logs there, or they hold no event.
        NotInstalled: typst is not.
        SettingsError: typst refuses.
    """
    history = reading.read(directory, until=until)
    causality = Causality(history)
    if not causality.order:
        raise NotRunning(f"there are no events in the logs in {directory}: `chitty up` starts a stack")
    verdict = check.check(directory, until=until)
    data = contents.gather(cover or Cover(), history, causality, verdict, logs.read(history.folder, until))
    diagram = data.pop("diagram")
    lacking = typeset.lacking(glyphs.unusual([diagram, *glyphs.texts(data)]), fonts)
    fit = Print(lacking)
    data = {
        **fit.all(data),
        "diagram": fit.plain(diagram),
        "lacking": [{"code": one.code, "name": one.name, "printed": one.printed} for one in fit.lacking],
    }
    _replace(target, typeset.typeset(data, _when(data["run"]["began"]), fonts))
    return Made(target, fit.lacking)


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
    finally:
        part.unlink(missing_ok=True)
