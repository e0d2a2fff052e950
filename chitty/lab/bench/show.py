"""A run on a terminal: its tables, drawn by rich."""

from typing import TextIO

from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from chitty.lab.bench import tables
from chitty.lab.bench.results import Run

_VERDICTS = {"aim": "green", "floor": "yellow", "missed": "bold red", "void": "dim"}
_LIMITS = {"generator": "yellow", "both": "yellow", "server": "green"}
_PLAIN_WIDTH = 200


def print_tables(run: Run, stream: TextIO, *, colour: bool) -> None:
    """Write every table, and what was skipped."""
    width = None if stream.isatty() else _PLAIN_WIDTH
    console = Console(file=stream, no_color=not colour, force_terminal=colour or None, width=width, highlight=False)
    for table in tables.every(run):
        drawn = Drawn(title=table.title, title_justify="left", title_style="bold", header_style="bold")
        for at, column in enumerate(table.columns):
            drawn.add_column(Text(column), justify="left" if table.is_words(at) else "right")
        for row in table.rows:
            drawn.add_row(*(Text(cell, style=_VERDICTS.get(cell, _LIMITS.get(cell, ""))) for cell in row))
        console.print(drawn)
    for what, why in run.skipped.items():
        console.print(Text(f"{what} was skipped: {why}"))
