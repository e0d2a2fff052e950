"""Every command that is shown anywhere works: it is run here or elsewhere, or is parsed by what would run it."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import click
import pytest

from chitty import cli, hints
from tests import shown
from tests.shown import ROOT, Shown

COMMANDS = shown.commands()
MINUTES = 240  # seconds for a process, on a machine that does a lot else

pytestmark = pytest.mark.timeout(2 * MINUTES)

RUN = {"certs", "check", "completion", "config", "diagram", "report"}
"""What needs no running stack is run. The others are run on a stack by tests/integration/test_readme.py."""

WAITS = re.compile(r"\b(DIR|NAME|FILE)\b|--watch|bob bob")
"""In what is not run: it stands for something else, or waits for a stack."""

ELSEWHERE = {
    "apt-get install chromium": "changes the machine; bin/test runs it where it may",
    "apt-get install nats-server": "changes the machine",
    "cd": "built into the shell",
    "bin/gen-proto": "run by tests/wire/test_generated.py",
    "cd .chitty && ../.venv/bin/supervisorctl status": "run by tests/integration/test_launcher_stacks.py",
    "chitty COMMAND --help": "stands for a command; the help of each is asked for below",
    "chitty {' '.join(arguments)}": "a message that names what the bench has run",
    "chitty {arguments[0]}": "likewise",
    "chitty {command}": "likewise",
}
"""What can be neither run nor parsed here, and why."""

PIP_EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def named(command: Shown) -> str:
    return f"{command.text} ({command.source})"


def of_chitty(command: Shown) -> bool:
    return command.text not in ELSEWHERE and bool(command.calls) and not command.text.startswith("python")


def parses(call: str) -> bool:
    """Parse a call as chitty does, up to where it would run; tell whether it is whole, and not only a mention.

    Raises:
        click.UsageError: it is neither a call nor the mention of a command or of an option.
    """
    words = shlex.split(call, comments=True)
    while words and words[0].startswith("-"):
        words = words[2:]  # -C DIR
    if not words:
        return False
    with cli.cli.make_context("chitty", [words[0]]) as context:
        found = cli.cli.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]!r}"
        try:
            found.make_context(words[0], words[1:], parent=context)
        except (click.MissingParameter, click.BadOptionUsage):
            if len(words) == 1 or (len(words) == 2 and words[1].startswith("--")):
                return False
            raise
    return True


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the files are that commands name, and a stack that has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHITTY_DIR", raising=False)
    for run in ("demo", "violation"):
        shutil.copytree(ROOT / "docs" / run, tmp_path / "docs" / run)
    shutil.copytree(ROOT / "docs/demo", tmp_path / ".chitty")
    for settings in ("mine.yaml", "FILE"):
        shutil.copyfile(ROOT / "conf/chitty.yaml", tmp_path / settings)
    return tmp_path


def test_there_are_commands_of_every_kind():
    sources = {command.source for command in COMMANDS}
    assert {"README.md", "SECURITY.md", "chitty.yaml", "doctor.py", "trust.py", "chitty kill --help"} <= sources
    assert len(COMMANDS) > 100


@pytest.mark.parametrize("command", [one for one in COMMANDS if of_chitty(one)], ids=named)
def test_a_command_shown_can_be_parsed(command, folder):
    for call in command.calls:
        parses(call)


def runnable() -> list[str]:
    calls = {call for command in COMMANDS if of_chitty(command) for call in command.calls}
    return sorted(call for call in calls if call.partition(" ")[0] in RUN and not WAITS.search(call))


@pytest.mark.parametrize("call", runnable())
def test_a_command_shown_that_needs_no_stack_runs(call, folder, capfd):
    if parses(call):
        words = shlex.split(call, comments=True)
        code = cli.run(words)
        assert code == (cli.FAILED if words[:2] == ["check", "docs/violation"] else cli.DONE), capfd.readouterr()


@pytest.mark.parametrize("command", [one for one in COMMANDS if not of_chitty(one)], ids=named)
def test_another_program_that_is_shown_is_there_and_takes_what_it_is_given(command):
    first, *rest = shlex.split(command.text, comments=True)
    if command.text in ELSEWHERE:
        return
    if first == "bin/test":  # its arguments are pytest's
        where = [] if any((ROOT / word).exists() for word in rest) else ["tests/test_import.py"]
        collect = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *rest, *where]
        ran = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, check=False, timeout=MINUTES)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    elif first == "pip":
        assert rest[0] == "install"
        (extras,) = re.findall(r"^\.\[(.*)\]$", rest[-1])  # of this folder: the package may be in no index
        assert set(extras.split(",")) <= PIP_EXTRAS.keys()
    elif rest[0] == "-m":
        assert importlib.util.find_spec(rest[1]) is not None
    elif first == ".venv/bin/python":
        compile((ROOT / rest[0]).read_text(encoding="utf-8"), rest[0], "exec")
    elif first == "grpcurl":  # which is not to be had here
        proto = (ROOT / "proto/chitty.proto").read_text(encoding="utf-8")
        package, service, method = re.fullmatch(r"([\w.]+)\.(\w+)/(\w+)", rest[-1]).groups()
        for declared in (f"package {package};", f"service {service} ", f"rpc {method}("):
            assert declared in proto
    else:
        pytest.fail(f"{command} is shown: parse it, run it, or say in ELSEWHERE why neither is possible")


@pytest.mark.parametrize("name", cli.cli.commands)
def test_the_help_of_every_command_has_an_example_of_it(name, capsys):
    assert cli.run([name, "--help"]) == cli.DONE
    examples = capsys.readouterr().out.partition("Example:")[2]
    assert f"chitty {name}" in examples


@pytest.mark.parametrize("extra", ["png", "report", "tls"])
def test_what_is_said_to_install_an_extra_does(extra, tmp_path):
    words = shlex.split(hints.install(extra))
    ran = subprocess.run(
        [*words, "--dry-run", "--no-index"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=MINUTES
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "already satisfied" in ran.stdout


@pytest.mark.parametrize("extra", ["bench", "png", "report", "tls"])
def test_what_is_said_to_install_an_extra_is_what_the_package_asks_for(extra):
    said = shlex.split(hints.install(extra))
    assert said[:4] == [sys.executable, "-m", "pip", "install"]
    asked = [re.sub(r"\s+", "", wanted) for wanted in PIP_EXTRAS[extra]]
    assert [sorted(re.split(r"(?=[<>=])|,", one)) for one in said[4:]] == [
        sorted(re.split(r"(?=[<>=])|,", one)) for one in asked
    ]


def test_an_environment_without_pip_is_filled_by_another_one(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert hints.install("tls").startswith(f"pip --python {sys.executable} install 'cryptography")
