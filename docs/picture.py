"""Make docs/terminal.svg from a real run: `.venv/bin/python docs/picture.py`.

Runs the quickstart in a directory of its own, on a free port, and draws what the terminal showed.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 92
LINES_OF_LOG = 24

THEME = TerminalTheme(
    (24, 26, 31),
    (216, 220, 228),
    [
        (24, 26, 31),
        (240, 113, 120),
        (152, 204, 130),
        (229, 192, 123),
        (104, 168, 240),
        (198, 134, 230),
        (86, 196, 206),
        (200, 204, 212),
    ],
    [
        (110, 116, 130),
        (245, 140, 145),
        (175, 220, 150),
        (240, 210, 150),
        (140, 190, 250),
        (215, 165, 240),
        (125, 215, 222),
        (255, 255, 255),
    ],
)

SESSION = (
    "chitty up --clients 3",
    "chitty join alice",
    'chitty say alice "good morning"',
    "chitty leave bob",
    "chitty status",
    f"chitty logs alice carol dave -n {LINES_OF_LOG}",
    "chitty down",
)


def run(command: str, directory: str) -> str:
    """Run a command as the picture shows it and return everything it printed."""
    arguments = [sys.executable, "-m", "chitty", "--color", "always", *_words(command)[1:]]
    if arguments[5] == "up":
        arguments += ["--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        arguments,
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return ran.stdout


def _words(command: str) -> list[str]:
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', command)]


def main() -> None:
    """Run the session and write the picture."""
    console = Console(record=True, width=WIDTH, force_terminal=True, file=io.StringIO())
    with tempfile.TemporaryDirectory() as directory:
        try:
            for command in SESSION:
                console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
                console.print(Text.from_ansi(run(command, directory).rstrip("\n"), no_wrap=True, overflow="ellipsis"))
        finally:
            subprocess.run([sys.executable, "-m", "chitty", "down"], cwd=directory, check=False, capture_output=True)
    svg = console.export_svg(title="chitty", theme=THEME)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # nothing is loaded from a network
    (ROOT / "docs/terminal.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
