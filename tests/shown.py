"""Every command that a person is shown: in documents, in help, in messages and in comments."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chitty import cli

ROOT = Path(__file__).parents[1]

_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_NUMBER = re.compile(r"\bN\b")
_CALL = re.compile(r"(?<![\w/.-])(?:bin/)?chitty(?=\s|$)([^|&;)>]*)")
_PROGRAM = re.compile(
    r"(?:\S*/)?(apt-get|bin/[a-z-]+|cd|chitty|eval|grpcurl|pip|printf|pytest|python3?|supervisorctl)$"
)


@dataclass(frozen=True, order=True)
class Shown:
    """A command as it is written, with what a message fills in in braces, and the file that shows it."""

    text: str
    source: str

    @property
    def calls(self) -> list[str]:
        """The arguments of each call of chitty in it, as text; a name stands for what is filled in, a number for N."""
        filled = _NUMBER.sub("7", _PLACEHOLDER.sub("bob", self.text))
        return [arguments.strip() for arguments in _CALL.findall(filled)]


def commands() -> list[Shown]:
    """Return all commands that are shown anywhere; each text once."""
    found = [*_documents(), *_comments(), *_messages(), *_examples()]
    return sorted({shown.text: shown for shown in sorted(found, reverse=True)}.values())


def _documents() -> Iterator[Shown]:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        text = path.read_text(encoding="utf-8")
        for language, block in _FENCE.findall(text):
            if language == "sh":
                yield from (Shown(line, path.name) for line in block.replace("\\\n", "").splitlines())
        yield from _spans(_FENCE.sub("", text), path.name)


def _comments() -> Iterator[Shown]:
    for path in [*ROOT.glob("conf/*"), *ROOT.glob("proto/*"), *ROOT.glob("bin/*"), *ROOT.rglob("chitty/**/*.typ")]:
        yield from _spans(path.read_text(encoding="utf-8"), path.name)


def _messages() -> Iterator[Shown]:
    """Yield the commands in strings of the program, docstrings included."""
    for path in ROOT.glob("chitty/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.List) and node.elts and _literal(node.elts[0]) == cli.calling.PROGRAM:
                yield Shown(" ".join(map(_literal, node.elts)), path.name)
            elif isinstance(node, ast.JoinedStr | ast.Constant):
                yield from _spans(_literal(node), path.name)


def _literal(node: ast.expr) -> str:
    """Return the text of a string, with an expression in braces for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_literal, node.values))
    return "{" + ast.unparse(node.value if isinstance(node, ast.FormattedValue | ast.Starred) else node) + "}"


def _examples() -> Iterator[Shown]:
    for command in [cli.cli, *cli.cli.commands.values()]:
        for line in (command.epilog or "").partition("Example:")[2].splitlines():
            if line.strip():
                yield Shown(re.sub(r"^(bash|zsh|fish): +", "", line.strip()), f"chitty {command.name} --help")


def _spans(text: str, source: str) -> Iterator[Shown]:
    for span in _SPAN.findall(text):
        words = span.split()
        if _PROGRAM.match(words[0]):
            yield Shown(span, source)
        elif words[0] in cli.cli.commands and len(words) > 1 and words[1].startswith("--"):
            yield Shown(f"{cli.calling.PROGRAM} {span}", source)
