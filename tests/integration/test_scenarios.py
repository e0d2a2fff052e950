"""Scenarios really played: the demo and its evidence, a short churn, and what becomes of one that goes wrong."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chitty import journal, process
from chitty.lab import scenario
from chitty.stack.layout import Layout
from chitty.stack.locks import is_held
from tests.waiting import PATIENCE, eventually

CHURN = """
title: a short churn
steps:
  - up: {clients: 6, settings: {bot: {rate: 5.0}}}
  - random: {steps: 40, least: 3, most: 9}
"""


class Lab:
    """A terminal in an empty directory, with a folder of its own for temporary files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "TMPDIR": str(self.temporary), "NO_COLOR": "1", "COLUMNS": "200"}
        return subprocess.Popen(
            [sys.executable, "-m", "chitty", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with self.start(*arguments) as running:
            out, err = running.communicate(timeout=4 * PATIENCE)
        return running.returncode, out, err

    def chitty(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        found, out, err = self.run(*arguments)
        assert found == code, f"chitty {' '.join(arguments)}: {found}\n{out}{err}"
        return out, err

    def scenario(self, text: str) -> str:
        (self.folder / "mine.yaml").write_text(text)
        return "mine.yaml"

    def left_behind(self) -> list[str]:
        """Return the processes that work below the folder."""
        found = []
        for one in Path("/proc").glob("[0-9]*"):
            try:
                place = str((one / "cwd").readlink())
            except OSError:
                continue
            if place.startswith(f"{self.folder}/") and process.alive(int(one.name)):
                found.append(f"{one.name} in {place}")
        return found


@pytest.fixture
def lab(tmp_path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    assert made.left_behind() == []


def events(log: Path) -> list[journal.Record]:
    found = [journal.parse(line) for line in log.read_text().splitlines()]
    return [record for record in found if record is not None and record.event]


def test_the_demo_leaves_its_evidence_and_nothing_else(lab):
    code, out, err = lab.run("demo", "-o", "evidence")
    # what draws and typesets may not be installed here; that is told, and no success
    assert code == ("is not installed" in out), out + err
    assert "check: valid" in out
    assert err.count("✓") == 22
    kept = lab.folder / "evidence"
    logs = {path.name for path in (kept / "logs").iterdir()}
    assert logs == {f"{name}.log" for name in ("alice", "bob", "carol", "dave", "server")}
    texts = [path.read_text() for path in [*(kept / "logs").iterdir(), kept / "events.jsonl", kept / "scenario.yaml"]]
    assert not any(str(lab.folder) in text or sys.prefix in text for text in texts), "no path of this machine"
    assert list(lab.temporary.iterdir()) == []

    hub = events(kept / "logs/server.log")
    assert [one.text("op") for one in hub if one.event == "broadcast"].count("join") == 4
    assert {one.text("reason") for one in hub if one.text("op") == "leave" and one.event == "broadcast"} == {
        "asked",
        "lost",
    }
    assert hub[-1].event == "end"

    (kept / "logs/stranger.log").write_text("of another run")
    (kept / "report.pdf").write_text("of another run")
    assert lab.run("-q", "demo", "-o", "evidence") == (code, out, "")
    assert {path.name for path in (kept / "logs").iterdir()} == logs, "remade whole"
    assert not (kept / "report.pdf").exists() or (kept / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_seed_makes_the_same_churn_and_it_comes_true(lab):
    file = lab.scenario(CHURN)
    _, err = lab.chitty("run", file, "--seed", "7", "-o", "first")
    again = scenario.read(lab.folder / file).steps(7)
    assert [line[8:-8].rstrip() for line in err.splitlines() if line.startswith("✓")] == [str(step) for step in again]
    assert len(again) >= 42
    assert len(list((lab.folder / "first/logs").glob("*.log"))) >= 8, "the logs stay"


def test_a_claim_that_is_not_so_is_told_with_its_step_and_the_logs_stay(lab):
    file = lab.scenario(
        "title: t\nsteps: [up: {humans: [bob]}, kill: bob, expect: {state: {bob: joined}, within: 0.2}]"
    )
    _, err = lab.chitty("run", file, code=1)
    assert "✗    3" in err
    assert "chitty: step 3 (bob is joined): after 0.2 s bob is killed, not joined" in err
    (place,) = lab.temporary.glob("chitty-run-*")
    assert f"the logs are in {place}/logs" in err
    assert (place / "logs/bob.log").exists()


@pytest.mark.parametrize(
    ("step", "code", "says"),
    [
        ("wait: {until: {participants: 2, within: 0.1}}", 6, "after 0.1 s 1 joined: bob"),
        ("say: {who: bob, text: {repeat: a, times: 129}}", 1, "refused: the message has 129 characters"),
        ("say: {who: bob, text: fine, refused: at most}", 1, "it was broadcast at Lamport time"),
        ('say: {who: bob, text: "", refused: at most}', 1, "which does not say 'at most'"),
        ("kill: zoe", 4, "no participant is called 'zoe'"),
        ("join: {who: zoe, bot: 'nowhere:bot'}", 1, "zoe was refused: bot 'nowhere:bot': cannot import 'nowhere'"),
    ],
)
def test_every_way_to_go_wrong_has_its_words_and_its_exit_code(lab, step, code, says):
    file = lab.scenario(f"title: t\nsteps:\n- up: {{humans: [bob]}}\n- {step}\n")
    _, err = lab.chitty("run", file, "-o", "stack", code=code)
    assert "chitty: step 2 (" in err
    assert says in err


def test_a_join_that_is_to_be_refused(lab):
    limits = "up: {humans: [bob], settings: {server: {limits: {participants: 1}}}}"
    file = lab.scenario(f"title: t\nsteps: [{limits}, join: {{who: zoe, refused: participants}}]")
    lab.chitty("run", file)
    file = lab.scenario("title: t\nsteps: [up: {humans: [bob]}, join: {who: zoe, refused: participants}]")
    _, err = lab.chitty("run", file, code=1)
    assert "step 2 (zoe asks to join: refused): not refused: zoe" in err


def test_what_is_wrong_with_a_scenario_is_told_before_anything_starts(lab):
    _, err = lab.chitty("run", lab.scenario("title: t\nsteps: [up: 1, kill: {whom: bob}]"), "-o", "stack", code=2)
    assert "mine.yaml, step 2 (kill): object" in err
    lab.chitty("run", "nothing.yaml", code=2)
    lab.chitty("-C", "here", "run", "demo", code=2)
    assert not (lab.folder / "stack").exists()


def test_an_interrupt_takes_the_stack_down(lab):
    file = lab.scenario("title: t\nsteps: [up: {humans: [bob]}, wait: 100]")
    for number in (signal.SIGINT, signal.SIGTERM):
        running = lab.start("run", file)
        eventually(lambda: list(lab.temporary.glob("chitty-run-*/ready/bob")))
        running.send_signal(number)
        running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        assert lab.left_behind() == []
        assert list(lab.temporary.iterdir()) == []


def test_a_stack_that_is_kept_runs_on_and_no_scenario_takes_it_over(lab):
    file = lab.scenario("title: t\nsteps: [up: {humans: [bob]}]")
    _, err = lab.chitty("run", file, "-o", "stack", "--keep")
    assert "the stack runs on: `chitty -C stack down` stops it" in err
    _, err = lab.chitty("run", file, "-o", "stack", code=5)
    assert "a stack runs in stack" in err
    assert is_held(Layout.of(lab.folder / "stack").life_lock)
    lab.chitty("-C", "stack", "down")


def test_the_crash_that_comes_along_goes_as_it_says(lab):
    _, err = lab.chitty("run", "crash")
    assert "all went as the scenario says" in err
