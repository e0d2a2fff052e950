"""What is written of a run: JSON, plots, and the page."""

from pathlib import Path

from chitty.core.errors import StackError, cause
from chitty.lab.bench import page, plots, results
from chitty.lab.bench.results import Run

RUN = "run.json"


def write_run(run: Run, folder: Path) -> None:
    """Write the JSON of a run, whole or not at all.

    Raises:
        StackError: it cannot be written.
    """
    fresh = folder / f".{RUN}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(results.encode(run))
        fresh.replace(folder / RUN)
    except OSError as error:
        raise StackError(f"cannot write {folder / RUN}: {cause(error)}") from None


def write_plots(run: Run, folder: Path) -> None:
    """Write every plot."""
    write_run(run, folder)
    for name, drawn in plots.every(run).items():
        (folder / name).write_text(drawn, encoding="utf-8")


def folder_of(document: Path) -> Path:
    """Return the folder of what a page shows: beside it, and called as it is."""
    return document.with_suffix("")


def write_page(run: Run, document: Path) -> None:
    """Write the page, and what it shows into the folder beside it: of the run as it is read back, to the last digit."""
    run = results.decode(results.encode(run), RUN)
    write_plots(run, folder_of(document))
    document.write_text(page.render(run, folder_of(document).name), encoding="utf-8")
