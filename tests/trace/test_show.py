"""What a person and a program see of a verdict, and the exit codes of `chitty check`."""

import json
import shutil
from pathlib import Path

import pytest

from chitty import cli
from chitty.trace import show
from chitty.trace.check import check

HISTORIES = Path(__file__).parent.parent / "histories"


@pytest.mark.parametrize(("name", "code"), [("run", 0), ("valid", 0), ("C1", 1), ("P14", 1)])
def test_the_exit_code_tells_the_verdict(name: str, code: int) -> None:
    assert cli.run(["check", str(HISTORIES / name)]) == code


def test_missing_evidence_is_7_and_a_missing_directory_3(tmp_path: Path) -> None:
    shutil.copytree(HISTORIES / "valid", tmp_path / "logs")
    (tmp_path / "logs" / "server.log").unlink()
    assert cli.run(["-C", str(tmp_path), "check"]) == 7
    assert cli.run(["check", str(tmp_path / "none")]) == 3


def test_a_violation_shows_both_witnesses_what_was_expected_and_what_found(capsys) -> None:
    cli.run(["check", str(HISTORIES / "P9")])
    said = capsys.readouterr().out
    assert "✗ P9  uniform agreement" in said
    assert (
        "      alice.log:7   alice deliver lamport=10 n=6\n      alice.log:10  alice deliver lamport=18 n=9\n" in said
    )
    assert "      expected seq=4 between them\n      found    1 events not delivered\n" in said
    assert "\x1b" not in said


def test_one_line_a_property_where_nothing_broke(capsys) -> None:
    cli.run(["--color", "always", "check", str(HISTORIES / "valid")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21 + 2
    assert "\x1b[32m" in lines[0]
    assert lines[20].count("not exercised") == 1


def test_json_has_every_property(capsys) -> None:
    cli.run(["check", str(HISTORIES / "P3"), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "invalid"
    broken = [one for one in said["properties"] if one["status"] == "violated"]
    assert {one["id"] for one in broken} == {"P3", "P6"}
    assert broken[0]["violations"][0]["witnesses"] == ["server.log:12", "bob.log:9"]
    assert {"expected", "found"} < set(broken[0]["violations"][0])


def test_what_logs_say_cannot_trouble_a_terminal(tmp_path: Path) -> None:
    shutil.copytree(HISTORIES / "P3", tmp_path / "logs")
    path = tmp_path / "logs" / "bob.log"
    text = path.read_text(encoding="utf-8")
    assert "hello, alice" in text
    path.write_text(text.replace("hello, alice", r"\u001b[31m\u202e"), encoding="utf-8")
    said = show.as_text(check(tmp_path))
    assert r"\u001b[31m\u202e" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
