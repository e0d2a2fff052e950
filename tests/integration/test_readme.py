"""The README does what it says: its commands are run, its code too."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from chitty import cli, resources, settings
from tests.waiting import PATIENCE, eventually

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`chitty ((?!COMMAND)[a-z]+[^`]*)`", README)))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


class Shell:
    """A newcomer's terminal: types what the README shows into a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").symlink_to(ROOT / "bin")

    def run(self, command: str, expect: int = 0) -> str:
        words = shlex.split(command)
        program = [ROOT / "bin/chitty"] if words[0] == "bin/chitty" else [sys.executable, "-m", "chitty"]
        if "up" in words and "--port" not in words:
            words += ["--port", "0"]  # the default may be taken on a machine that others use
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{self.folder}"}
        ran = subprocess.run(
            [*program, *words[1:]],
            check=False,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
        assert ran.returncode == expect, f"{command}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def address(self) -> str:
        return re.search(r'"address": "([^"]+)"', self.run("chitty status --json"))[1]


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.run("chitty down")


def test_the_quickstart_works_as_typed(shell):
    commands = [line for block in blocks("sh")[:2] for line in block.splitlines()]
    assert [command.split()[1] for command in commands] == ["up", "join", "leave", "logs", "down"]
    for command in commands:
        shell.run(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shown_is_one(command):
    words = shlex.split(command)
    name, arguments = words[0], [word for word in words[1:] if word not in {">", "mine.yaml"}]
    if "--config" in arguments:
        at = arguments.index("--config")
        arguments[at : at + 2] = ["--config", str(ROOT / "conf/chitty.yaml")]
    with cli.cli.make_context("chitty", [name]) as context:
        found = cli.cli.get_command(context, name)
        assert found is not None
        if "--help" not in arguments:
            found.make_context(name, arguments, parent=context)


def test_the_commands_shown_work_on_a_stack(shell):
    shell.run("chitty up --clients bob,carol --human carol")
    for command in (
        "chitty join alice zoe --human",
        'chitty say alice "good morning"',
        "chitty scale 5",
        "chitty pause bob",
        "chitty unpause bob",
        "chitty kill bob",
        "chitty restart bob",
        "chitty logs bob --since 5m --grep joined",
        "chitty status --json",
        "chitty config",
        "chitty doctor",
        "chitty completion bash",
        "chitty restart server",
        "chitty kill server",
    ):
        shell.run(command)
    eventually(lambda: all(one["joined"] for one in json.loads(shell.run("chitty status --json"))["participants"]))
    for command in ("chitty leave --all", "chitty down --purge"):
        shell.run(command)


def test_the_library_and_a_bot_of_ones_own(shell):
    library, bot = blocks("python")
    (shell.folder / "mybots.py").write_text(bot)
    shell.run("chitty up --clients bob")
    shell.run("chitty join polly --bot mybots:parrot")
    program = library.replace("127.0.0.1:5051", shell.address())
    program = program.replace(
        "            print(event", "            if event.participant == 'polly': break\n            print(event"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=PATIENCE, cwd=shell.folder
    )
    assert ran.returncode == 0, ran.stderr
    assert "alice hello" in ran.stdout
    eventually(lambda: "polly: hello" in shell.run("chitty logs polly --grep hello"))


def test_the_settings_shown_are_settings():
    (shown,) = blocks("yaml")
    base = resources.path("conf/chitty.yaml").read_text(encoding="utf-8")
    assert settings.load(shown, "the README", base).bot.rate == 5.0


def test_the_log_lines_shown_are_lines():
    from chitty import journal  # noqa: PLC0415 - beside its only use

    lines = [line for block in re.findall(r"```\n(2026.*?)```", README, re.DOTALL) for line in block.splitlines()]
    assert [journal.parse(line).event for line in lines] == ["send", "receive", "broadcast", "deliver"]


def test_what_the_documents_link_to_is_there():
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{name} links to {target}"
