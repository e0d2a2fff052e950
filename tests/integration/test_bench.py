"""The bench, as a smoke run: every scenario measures what it says, tidies up, and can be shown again.

Nothing here looks at how quick anything was.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chitty.lab.bench import measuring, systems
from chitty.lab.bench.processes import nats_program
from tests.waiting import PATIENCE, eventually

ROOT = Path(__file__).parents[2]


class Bench:
    """The command, in a folder whose temporary files are its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "TMPDIR": str(self.temporary), "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
        environment["grpc_proxy"] = "http://127.0.0.2:9"  # whatever is measured is reached without it
        return subprocess.Popen(
            [sys.executable, "-m", "chitty", "bench", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        with self.start(*arguments) as running:
            out, err = running.communicate(timeout=4 * PATIENCE)
        assert running.returncode == code, out + err
        return out, err

    def left_behind(self) -> list[str]:
        """Return the processes whose folder is ours."""
        found = []
        for one in Path("/proc").glob("[0-9]*"):
            try:
                place = str((one / "cwd").readlink())
            except OSError:
                continue
            if place.startswith(str(self.temporary)):
                found.append(f"{one.name} in {place}")
        return found


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    assert eventually(lambda: not made.left_behind())
    assert list(made.temporary.iterdir()) == []


PEERS = ["naive", *(["nats"] if nats_program() else [])]

FOUND = {
    "costs": ({"loopback", "disk", "grpc", "processor"}, set()),
    "fanout": ({"chitty", *PEERS}, {"published", "delivered", "pieces", "bytes", "p50", "server", "subscribing"}),
    "latency": ({"chitty", *PEERS}, {"delivered", "p50", "p99", "max"}),
    "participants": ({"chitty", "check"}, set()),
    "join": ({"library", "wire", "up"}, {"seconds"}),
    "durable": ({"chitty", "disk"}, {"p50"}),
    "recover": ({"chitty"}, {"started", "first", "all"}),
}
"""By scenario: which systems it measures, and figures that all of them have."""


def test_every_scenario_is_tried_here():
    assert set(FOUND) == set(measuring.SCENARIOS)


@pytest.mark.parametrize("scenario", FOUND)
def test_a_quick_run_measures_everything_of_a_scenario(bench, scenario):
    out, err = bench.run("--quick", "--scenario", scenario, "--json", "-o", "found")
    assert err == f"{scenario}\n"
    told = json.loads(out)
    wanted, keys = FOUND[scenario]
    assert {point["system"] for point in told["points"]} == wanted
    assert {point["scenario"] for point in told["points"]} == {scenario} == set(told["took"])
    for point in told["points"]:
        (sample,) = point["samples"]
        assert keys <= sample["values"].keys(), point
        assert all(value >= 0 for value in sample["values"].values()), point
    assert set(told["skipped"]) == set(systems.PEERS) - set(PEERS)
    assert json.loads((bench.folder / "found/run.json").read_text()) == told
    assert len(list((bench.folder / "found").glob("*.svg"))) == 5


def test_load_is_delivered_to_everybody_and_says_what_was_the_limit(bench):
    out, _ = bench.run("--quick", "--scenario", "fanout", "--peer", "none", "--runs", "2", "--json")
    for point in json.loads(out)["points"]:
        assert len(point["samples"]) == 2
        for sample in point["samples"]:
            values = sample["values"]
            assert values["published"] > 0
            assert values["delivered"] > values["published"], "three are delivered each message"
            assert values["missing"] == 0
            assert sample["limit"] in {"server", "generator", "both", "neither"}


def test_a_run_is_resumed_shown_and_made_a_page(bench):
    bench.run("--quick", "--scenario", "costs", "-o", "page")
    before = (bench.folder / "page/run.json").read_bytes()
    out, err = bench.run("--quick", "--scenario", "costs", "--doc", "page.md", "--resume")
    assert err == "", "nothing is measured again"
    assert (bench.folder / "page/run.json").read_bytes() == before
    assert "This was a quick run" in (bench.folder / "page.md").read_text()
    shown, err = bench.run("--from", "page/run.json")
    assert (shown, err) == (out, "")
    assert "the loopback" in shown
    _, err = bench.run("--scenario", "costs", "--doc", "page.md", "--resume", code=2)
    assert "give the same options" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--resume"], "--resume needs -o DIR or --doc FILE"),
        (["--scenario", "everything"], "'everything' is not one of"),
        (["--from", "nothing.json"], "does not exist"),
        (["--runs", "0"], "0 is not in the range"),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(bench, arguments, says):
    _, err = bench.run(*arguments, code=2)
    assert says in err


def test_an_interrupt_leaves_nothing_behind(bench):
    for number in (signal.SIGINT, signal.SIGTERM):
        running = bench.start("--quick", "--scenario", "participants")
        eventually(lambda: list(bench.temporary.glob("chitty-bench-*/*/stack/ready/p1")))
        running.send_signal(number)
        running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        assert eventually(lambda: not bench.left_behind())
