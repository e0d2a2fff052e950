"""Make the table in docs/reliability.md from what the tests of faults counted.

bin/test tests/faults --long --record runs.jsonl
.venv/bin/python docs/reliability.py runs.jsonl
"""

import json
import os
import platform
import sqlite3
import sys
from pathlib import Path
from typing import Any

import grpc

PAGE = Path(__file__).with_name("reliability.md")
BEGIN, END = "<!-- made by docs/reliability.py -->\n", "<!-- end -->\n"

HEAD = ("fault", "form", "faults", "sent", "acknowledged", "delivered", "lost", "duplicated", "out of order", "seen")
_KEYS = ("faults", "sent", "acknowledged", "delivered", "lost", "duplicated", "reordered")


def row(run: dict[str, Any]) -> str:
    """Return a run as a line of the table."""
    numbers = [f"{run.get(key, 0):,}" for key in _KEYS]
    return "| " + " | ".join([run["fault"], run["form"], *numbers, run.get("note", "")]) + " |\n"


def table(runs: list[dict[str, Any]]) -> str:
    """Return runs as a table, one line for each fault: its longest form, and of that the last run."""
    chosen: dict[str, dict[str, Any]] = {}
    for run in sorted(runs, key=lambda run: run["form"] == "long"):
        chosen[run["fault"]] = run
    rule = "|---|---|" + "---:|" * len(_KEYS) + "---|\n"
    machine = (
        f"Linux {platform.release().partition('-')[0]}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, grpcio {grpc.__version__}, SQLite {sqlite3.sqlite_version}.\n"
    )
    rows = [row(chosen[fault]) for fault in sorted(chosen)]
    return "".join(["| " + " | ".join(HEAD) + " |\n", rule, *rows, "\n", machine])


def main() -> None:
    """Put the table of the runs in the files given into the page."""
    lines = [line for name in sys.argv[1:] for line in Path(name).read_text(encoding="utf-8").splitlines()]
    if not lines:
        sys.exit("no runs: give files that `bin/test --record FILE` wrote")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{table([json.loads(line) for line in lines])}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
