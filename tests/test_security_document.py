"""SECURITY.md makes no promise that no test keeps."""

import ast
import re
from pathlib import Path

import pytest

from chitty import resources, settings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text()
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(?:(\w+)::)?(test_\w+)`")


def promises() -> list[list[str]]:
    """The rows of the table of promises: threat, promise, tests."""
    table = TEXT.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line[:1] == "|"]
    return rows[2:]


def named() -> list[tuple[str, str, str]]:
    return sorted(set(_TEST.findall(TEXT)))


def defined(file: Path, inside: str) -> set[str]:
    found: list[ast.stmt] = ast.parse(file.read_text()).body
    if inside:
        found = next((node.body for node in found if isinstance(node, ast.ClassDef) and node.name == inside), [])
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "inside", "test"), named())
def test_every_test_that_is_named_is_there(file, inside, test):
    assert test in defined(ROOT / file, inside)


def test_every_promise_names_the_tests_that_keep_it():
    rows = promises()
    assert len(rows) > 10
    for row in rows:
        threat, promise, tests = row
        assert threat
        assert promise
        assert _TEST.findall(tests), f"no test keeps: {promise}"
        assert tests.count("`tests/") == len(_TEST.findall(tests)), f"not a test: {tests}"


def test_the_settings_shown_are_settings():
    (shown,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    told = settings.load(shown, "SECURITY.md", resources.path("conf/chitty.yaml").read_text())
    assert told.server.tls.client_ca
    assert told.server.secret_file
