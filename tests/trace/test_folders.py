"""Any folder of logs is judged, whatever its files are called and whoever else left something in it."""

import shutil
from pathlib import Path

import pytest

from chitty.trace import check
from chitty.trace.verdict import Status, Verdict

DEMO = Path(__file__).parents[2] / "docs/demo/logs"


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "logs"))


def status(verdict: Verdict, id_: str) -> Status:
    return next(finding.status for finding in verdict.findings if finding.id == id_)


@pytest.mark.parametrize("name", ["zhub", "old-server", "a"])
def test_the_log_of_a_hub_is_known_by_what_it_says(folder, name):
    (folder / "server.log").rename(folder / f"{name}.log")
    assert check.check(folder).judgement == "valid"


def test_two_runs_in_one_folder_are_both_judged(folder):
    other = Path(__file__).parents[1] / "histories/valid"
    for path in other.rglob("*.log"):
        shutil.copy(path, folder / f"old-{path.name}")
    assert check.check(folder).judgement == "valid"


@pytest.mark.parametrize("data", [b"", b"\xff\x00junk\n" * 9], ids=["empty", "junk"])
def test_a_participant_whose_log_cannot_be_read_leaves_the_verdict_open(folder, data):
    (folder / "bob.log").write_bytes(data)
    verdict = check.check(folder)
    assert verdict.judgement == "unknown"
    assert status(verdict, "W1") is Status.UNKNOWN


def test_what_is_no_log_of_the_run_does_not_matter(folder):
    (folder / "junk.log").write_bytes(b"\xff\x00junk\n")
    (folder / "dir.log").mkdir()
    assert check.check(folder).judgement == "valid"
