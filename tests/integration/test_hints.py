"""A command that a message recommends works as it is shown, however chitty was called."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from chitty.cli import calling

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("chitty")
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in {"CHITTY_PROGRAM", "CHITTY_DIR"}}

ANSWER = 120  # seconds that a command has, on a machine that does a lot else


def said(command: str, cwd: Path, **environment: str) -> str:
    """Run a command in a shell, as a user types it, and return what it says."""
    ran = subprocess.run(
        ["sh", "-c", command],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=ANSWER,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "call",
    [
        "bin/chitty",
        "./bin/chitty -C s",
        "bin/chitty -C 'my stack'",
        f"{SCRIPT} -C s",
        f"{sys.executable} -m chitty -C s",
        f"{sys.executable} -P -m chitty",
    ],
)
def test_a_hint_names_the_program_and_the_stack_as_they_were_given(call, tmp_path):
    (tmp_path / "bin").symlink_to(ROOT / "bin")
    (hint,) = re.findall(r"`(.*) up` starts one", said(f"{call} say bob hello", tmp_path))
    assert shlex.split(hint) == shlex.split(call)
    folder = shlex.split(call)[-1] if " -C " in call else ".chitty"
    assert f"{tmp_path / folder}/programs/server.conf" in said(f"{hint} up --dry-run", tmp_path)


def test_a_program_on_the_path_is_named_by_its_name(tmp_path):
    path = os.pathsep.join([str(SCRIPT.parent), os.environ["PATH"]])
    assert "`chitty up` starts one" in said("chitty say bob hello", tmp_path, PATH=path, CHITTY_DIR="s")
    path = os.pathsep.join([str(ROOT / "bin"), os.environ["PATH"]])
    assert "`chitty -C s up` starts one" in said("chitty -C s say bob hello", tmp_path, PATH=path)


def test_help_names_the_program_as_it_was_called(tmp_path):
    (tmp_path / "bin").symlink_to(ROOT / "bin")
    text = said("bin/chitty attach --help", tmp_path)
    assert "Usage: bin/chitty attach [OPTIONS] NAME" in text
    assert "  bin/chitty attach alice\n" in text
    assert "| bin/chitty attach alice\n" in text


def test_children_do_not_inherit_how_chitty_was_called(tmp_path):
    (tmp_path / "bin").symlink_to(ROOT / "bin")
    (tmp_path / "mine.py").write_text(
        "import os\nasync def bot(me):\n    await me.publish(str(dict(os.environ).keys()))\n"
    )
    try:
        said("bin/chitty up --port 0 --clients 0 --human zoe", tmp_path)
        said("bin/chitty join eve --bot mine:bot", tmp_path)
        assert "CHITTY_PROGRAM" not in said("bin/chitty logs", tmp_path)
    finally:
        said("bin/chitty down", tmp_path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("`chitty down` first", "`bin/chitty -C s down` first"),
        ("see `chitty`", "see `bin/chitty`"),
        ("`chitty -C other down` stops it", "`bin/chitty -C other down` stops it"),
        ("`chitty certs DIR NAME` makes it", "`bin/chitty certs DIR NAME` makes it"),
        ("chitty is not `chittychat up`", "chitty is not `chittychat up`"),
    ],
)
def test_every_command_in_a_text_is_completed(text, shown):
    program = calling.program.set("bin/chitty")
    directory = calling.directory.set("s")
    try:
        assert calling.as_typed(text) == shown
    finally:
        calling.program.reset(program)
        calling.directory.reset(directory)
