"""Modules in the directory of a call: none is executed unless it is a bot's, whatever its name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually

ROOT = Path(__file__).parents[2]

ANSWER = 120  # seconds that a command has, on a machine that does a lot else


INSTALLED = {"click", "google", "grpc", "grpc_health", "msgspec", "resvg_py", "rich", "setproctitle", "supervisor"}
INSTALLED |= {"cryptography", "prompt_toolkit", "sitecustomize", "typst", "usercustomize", "yaml"}

# What `python -m` imports by itself, with the directory of the call on its path: nothing of ours has run yet.
BEFORE_US = {
    "collections",
    "contextlib",
    "functools",
    "importlib",
    "keyword",
    "operator",
    "reprlib",
    "types",
    "warnings",
}

BOT = """\
import random
import helper
assert random.random() < 1

async def bot(me):
    await me.publish(helper.TEXT)
    async for _ in me:
        pass
"""


class Folder:
    """A directory with a module for every name of the standard library and of what is installed."""

    def __init__(self, path: Path, program: list[object], **environment: str) -> None:
        self.path = path
        self.program = program
        self.environment = {**os.environ, **environment}
        self.executed = path / "executed"
        for name in (INSTALLED | sys.stdlib_module_names) - (BEFORE_US if "-m" in program else set()):
            (path / f"{name}.py").write_text(f"open({str(self.executed)!r}, 'a').write('{name} ')\n")

    def run(self, *arguments: object, expect: int = 0) -> str:
        ran = subprocess.run(
            [*map(str, [*self.program, *arguments])],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER,
        )
        assert not self.executed.exists(), f"{arguments}: executed {self.executed.read_text()}"
        assert ran.returncode == expect, f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stdout + ran.stderr


@pytest.fixture(
    params=[
        pytest.param(([ROOT / "bin/chitty"], {"PYTHONPATH": ":."}), id="bin/chitty"),
        pytest.param(([sys.executable, "-m", "chitty"], {}), id="python -m chitty"),
    ]
)
def folder(request, tmp_path):
    program, environment = request.param
    folder = Folder(tmp_path, program, **environment)
    yield folder
    folder.run("down")


def test_a_stack_runs_where_modules_have_the_names_of_others(folder):
    (folder.path / "mine.py").write_text(BOT)
    (folder.path / "helper.py").write_text("TEXT = 'hello from my bot'\n")
    folder.run("up", "--port", 0, "--clients", "bob", "--human", "zoe")
    folder.run("join", "eve", "--bot", "mine:bot")
    folder.run("say", "zoe", "hello")
    eventually(lambda: "eve: hello from my bot" in folder.run("logs", "zoe"))
    folder.run("doctor")
    folder.run("diagram", "-o", "run.png")
    folder.run("report")
    folder.run("certs", "certs")
    folder.run("leave", "--all")
    folder.run("down")
    folder.run("check")


def test_an_entry_of_pythonpath_that_is_the_directory_of_the_call_is_left_out(tmp_path):
    program = [sys.executable, "-I", "-m", "chitty"]
    for place in ("", ".", str(tmp_path)):
        folder = Folder(tmp_path, program, PYTHONPATH=os.pathsep.join(["/nonexistent", place]))
        folder.run("up", "--port", 0, "--clients", "bob")
        folder.run("down")


def test_a_bot_is_found_in_pythonpath_too(tmp_path):
    (tmp_path / "bots").mkdir()
    (tmp_path / "bots/theirs.py").write_text(BOT)
    (tmp_path / "bots/helper.py").write_text("TEXT = 'hello from elsewhere'\n")
    folder = Folder(tmp_path, [ROOT / "bin/chitty"], PYTHONPATH="bots:")
    try:
        folder.run("up", "--port", 0, "--clients", "0", "--human", "zoe")
        folder.run("join", "eve", "--bot", "theirs:bot")
        eventually(lambda: "eve: hello from elsewhere" in folder.run("logs", "zoe"))
    finally:
        folder.run("down")
