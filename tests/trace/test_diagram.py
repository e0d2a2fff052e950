"""The command: which format, which file, which part; and what it says when it cannot."""

import json
from pathlib import Path

import pytest

from chitty import cli
from chitty.trace.axis import Axis
from chitty.trace.diagram import ENDINGS, Format
from tests.trace.drawing import VIOLATION, by_chance
from tests.trace.simulating import calm

BEGINNINGS = {
    Format.SVG: b"<svg ",
    Format.HTML: b"<!doctype html>",
    Format.MERMAID: b"sequenceDiagram\n",
    Format.SHIVIZ: b"hub: starts",
    Format.PERFETTO: b'{"traceEvents"',
    Format.PNG: b"\x89PNG",
}


def diagram(*arguments: object) -> int:
    return cli.run(["diagram", str(VIOLATION), *map(str, arguments)])


@pytest.mark.parametrize(("ending", "wanted"), ENDINGS.items())
def test_the_format_follows_the_ending_of_the_file(tmp_path, ending, wanted):
    assert diagram("-o", tmp_path / f"run{ending}") == 0
    assert (tmp_path / f"run{ending}").read_bytes().startswith(BEGINNINGS[wanted])


def test_a_format_that_is_given_is_taken_whatever_the_ending(tmp_path):
    assert diagram("-o", tmp_path / "README.md", "--format", "mermaid") == 0
    assert (tmp_path / "README.md").read_text().startswith("sequenceDiagram")


@pytest.mark.parametrize("wanted", Format)
def test_without_a_file_it_is_printed(capfdbinary, wanted):
    assert diagram("--format", wanted) == 0
    assert capfdbinary.readouterr().out.startswith(BEGINNINGS[wanted])


def test_on_a_terminal_it_becomes_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert diagram() == 0
    assert (tmp_path / "diagram.svg").read_bytes() == (VIOLATION.parent / "violation.svg").read_bytes()
    assert "drawn: diagram.svg" in capsys.readouterr().err


def test_a_dash_is_standard_output(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    assert diagram("-o", "-") == 0
    assert capfdbinary.readouterr().out.startswith(b"<svg ")
    assert not list(tmp_path.iterdir())


def test_a_part_is_what_was_asked_for(capfdbinary):
    assert diagram("--from", 7, "--to", 9, "--participant", "bob", "--format", "perfetto") == 0
    trace = json.loads(capfdbinary.readouterr().out)
    times = {part["args"]["lamport"] for part in trace["traceEvents"] if part["ph"] == "X"}
    assert times == {7, 8, 9}
    assert "1 participant not shown" in trace["otherData"]["shown"]


@pytest.mark.parametrize("axis", Axis)
def test_it_draws_along_any_axis(axis, capfdbinary):
    assert diagram("--axis", axis) == 0
    assert capfdbinary.readouterr().out.count(b'class="e ') == 27


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-o", "run.doc"], 2, "the ending of 'run.doc' tells no format: give --format, or one of .svg"),
        (["--from", "20"], 2, "nothing happened from Lamport time 20 on: Lamport times go from 0 to 13"),
        (["--from", "9", "--to", "3"], 2, "--from 9 is later than --to 3"),
        (["--participant", "zoe"], 4, "'zoe': there is alice, bob"),
        (["-o", "no/such/folder/run.svg"], 1, "cannot write no/such/folder/run.svg: No such file or directory"),
    ],
)
def test_what_cannot_be_drawn_is_said(arguments, code, said, capsys):
    assert diagram(*arguments) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("exists", [True, False])
def test_without_logs_there_is_nothing_to_draw(tmp_path, exists, capsys):
    folder = tmp_path if exists else tmp_path / "nowhere"
    assert cli.run(["diagram", str(folder)]) == 3
    assert "`chitty up` starts a stack" in capsys.readouterr().err


def test_the_stack_of_dash_c_is_drawn(tmp_path, capfdbinary):
    by_chance(tmp_path / "logs", 3)
    assert cli.run(["-C", str(tmp_path), "diagram", "--format", "mermaid"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"sequenceDiagram")


@pytest.mark.parametrize("wanted", [Format.SVG, Format.HTML])
def test_a_large_drawing_is_told_of_before_it_is_made(wanted, monkeypatch, capfd, tmp_path):
    made = tmp_path / "run"
    assert diagram("--format", wanted, "-o", made) == 0
    assert "MB" not in capfd.readouterr().err
    monkeypatch.setattr("chitty.trace.diagram.LARGE", 1000)
    assert diagram("--format", wanted, "-o", made) == 0
    warning, drawn = capfd.readouterr().err.splitlines()
    assert "the drawing will have about 0 MB, for 27 events and" in warning
    assert "draw a part with --from, --to or --participant, or all of it with --format perfetto" in warning
    assert drawn.endswith(f"drawn: {made}")


def test_a_long_text_for_shiviz_is_told_of(monkeypatch, capfd):
    monkeypatch.setattr("chitty.trace.shiviz.LARGE", 1000)
    assert diagram("--format", "shiviz") == 0
    assert "which is much to paste into ShiViz: choose a part with --from" in capfd.readouterr().err


def test_warnings_are_notices(tmp_path: Path, capfd):
    calm(5, 3000).write(tmp_path)
    assert cli.run(["diagram", str(tmp_path), "--format", "mermaid"]) == 0
    assert "Mermaid draws at most 50,000" in capfd.readouterr().err
    assert cli.run(["-q", "diagram", str(tmp_path), "--format", "mermaid"]) == 0
    assert capfd.readouterr().err == ""
