"""The wheel, installed into an empty environment, does the main job without the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The `chitty` of an environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, source], check=True, timeout=2 * PATIENCE)
    shutil.rmtree(source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=2 * PATIENCE)
    (wheel,) = folder.glob("*.whl")
    extras = re.search(r"`pip install '\.(\[.*?\])'`", (ROOT / "README.md").read_text(encoding="utf-8"))[1]
    install = [*pip, "--python", folder / "venv/bin/python", "install", "--no-compile", f"{wheel}{extras}"]
    subprocess.run(install, check=True, timeout=4 * PATIENCE)
    return folder / "venv/bin/chitty"


def test_the_main_job_from_an_installed_wheel(installed, tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def chitty(*arguments: str, code: int = 0) -> str:
        run = subprocess.run(
            [installed, *arguments],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert run.returncode == code, f"chitty {' '.join(arguments)}: {run.returncode}\n{run.stdout}{run.stderr}"
        return run.stdout

    try:
        chitty("up", "--clients", "3", "--port", "0")
        chitty("join", "alice")
        chitty("leave", "bob")
        present = json.loads(chitty("status", "--json"))["participants"]
        assert sorted(one["name"] for one in present if one["joined"]) == ["alice", "carol", "dave"]
        logs = chitty("logs")
        assert "Participant alice joined Chitty-Chat at Lamport time" in logs
        assert "Participant bob left Chitty-Chat at Lamport time" in logs
        assert "limits:" in chitty("config")
    finally:
        chitty("down")
    chitty("status", code=3)
    chitty("report")
    chitty("diagram", "-o", "run.png")
    chitty("certs", "certs")


@pytest.mark.parametrize("program", [["chitty"], ["python", "-m", "chitty"]])
def test_a_wheel_runs_where_modules_have_the_names_of_others(installed, tmp_path, program):
    for name in ("random", "click", "typing", "subprocess", "supervisor", "grpc"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'a'); raise SystemExit(9)")
    command = [installed.with_name(program[0]), *program[1:]]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for arguments in (["up", "--port", "0", "--clients", "1"], ["down"]):
        run = subprocess.run(
            [*command, *arguments],
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert run.returncode == 0, run.stderr
    assert not (tmp_path / "executed").exists()
