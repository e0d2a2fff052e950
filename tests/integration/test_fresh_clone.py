"""A newcomer's first minutes: a fresh checkout, an empty home, and the commands of the README."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MINUTES = 420


@pytest.mark.timeout(2 * MINUTES)
def test_the_demo_of_a_fresh_checkout_makes_everything(tmp_path):
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}

    def chitty(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bin/chitty", *arguments],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=MINUTES,
        )

    demo = chitty("demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stderr.count("setting up") == 1
    made = {path.name for path in (checkout / "demo").iterdir()}
    assert {"logs", "diagram.svg", "diagram.html", "report.pdf"} <= made
    for arguments in (["diagram", "demo", "-o", "demo.png"], ["certs", "certs"]):
        ran = chitty(*arguments)
        assert ran.returncode == 0, ran.stderr
        assert "setting up" not in ran.stderr
