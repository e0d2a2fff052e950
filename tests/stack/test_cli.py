import errno
import os
import signal
from pathlib import Path

import click
import pytest

from chitty import cli, resources, settings, streams
from chitty.cli import base, outcome, values
from chitty.core import errors
from chitty.stack.members import Member, Members, Server
from chitty.stack.waiting import Outcome
from chitty.wire.address import proxies


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHITTY_DIR", raising=False)
    monkeypatch.delenv("CHITTY_DEBUG", raising=False)


def commands():
    return list(cli.cli.commands)


@pytest.mark.parametrize("name", ["", *commands()])
def test_every_help_shows_an_example(name, capsys):
    assert cli.run([name, "--help"] if name else ["--help"]) == 0
    assert "Example:\n  " in capsys.readouterr().out


@pytest.mark.parametrize(("alias", "name"), [("tail", "logs"), ("ps", "status"), ("stop", "down")])
def test_aliases_are_the_same_commands(alias, name):
    with click.Context(cli.cli) as context:
        assert cli.cli.get_command(context, alias) is cli.cli.get_command(context, name)
    assert alias in cli.cli.commands[name].short_help


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["join"],
        ["join", "a b"],
        ["join", "server"],
        ["join", "bob\n[program:x]"],
        ["join", "bob", "--human", "--bot", "a:b"],
        ["join", "bob", "--bot", "nothing"],
        ["leave"],
        ["leave", "bob", "--all"],
        ["leave", "server"],
        ["scale", "-1"],
        ["scale", "many"],
        ["up", "--clients", "bob,BOB"],
        ["up", "--clients", "bob,,carol"],
        ["up", "--clients", "-3"],
        ["up", "--port", "70000"],
        ["up", "--config", "nowhere.yaml"],
        ["kill", "bob", "-s", "NOTHING"],
        ["kill", "bob", "-s", "999"],
        ["completion", "tcsh"],
        ["certs"],
        ["certs", "x", "a b"],
        ["certs", "x", "--days", "0"],
        ["--color", "sometimes", "status"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments, capsys):
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage: chitty" in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["join", "bob"],
        ["leave", "bob"],
        ["leave", "--all"],
        ["scale", "3"],
        ["say", "bob", "hi"],
        ["attach", "bob"],
        ["kill", "server"],
        ["pause", "bob"],
        ["unpause", "bob"],
        ["restart", "bob"],
        ["chat", "bob"],
        ["logs"],
    ],
)
def test_without_a_stack_every_command_says_so(arguments, capsys, tmp_path):
    assert cli.run(arguments) == 3
    assert "chitty up" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "and leaves nothing behind"


def test_a_stack_that_does_not_run_is_down_already(capsys):
    assert cli.run(["down"]) == 0
    captured = capsys.readouterr()
    assert "no stack runs" in captured.err
    assert captured.out == ""
    assert cli.run(["-q", "down"]) == 0
    assert capsys.readouterr().err == ""


def test_the_status_of_nothing_is_json_all_the_same(capsys):
    assert cli.run(["status", "--json"]) == 3
    assert '"participants": []' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StackError("x"), 1),
        (errors.NotRunning("x"), 3),
        (errors.NoSuchParticipant("x"), 4),
        (errors.AlreadyExists("x"), 5),
        (errors.TimedOut("x"), 6),
        (errors.SettingsError("x"), 2),
        (errors.InvalidArgument("x"), 2),
        (errors.NameTaken("x"), 1),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(errno.EPIPE, "x"), 1),  # of something else than standard output
        (streams.Unwritable("x"), 1),
        (RuntimeError("x"), 1),
    ],
)
def test_each_error_has_its_exit_code_and_one_line(error, code, capfd, monkeypatch):
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli.cli.commands["doctor"], "callback", fail)
    saved = os.dup(1)
    assert cli.run(["doctor"]) == code
    os.dup2(saved, 1)
    os.close(saved)
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_an_error_nobody_expected_says_where_if_asked(monkeypatch):
    def fail(**_: object) -> None:
        raise RuntimeError("x")

    monkeypatch.setattr(cli.cli.commands["doctor"], "callback", fail)
    monkeypatch.setenv("CHITTY_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cli.run(["doctor"])


def test_errors_are_safe_for_a_terminal(capsys):
    base.fail("bad \x1b[2J name")
    assert capsys.readouterr().err == "chitty: bad \\u001b[2J name\n"


@pytest.mark.parametrize(("text", "number"), [("KILL", 9), ("sigterm", 15), ("9", 9), ("SIGUSR1", 10)])
def test_a_signal_has_a_name_or_a_number(text, number):
    assert values.Signal().convert(text, None, None) is signal.Signals(number)


def test_clients_are_a_number_or_names():
    assert values.Clients().convert("3", None, None) == 3
    assert values.Clients().convert("0", None, None) == 0
    assert values.Clients().convert("bob, carol", None, None) == ("bob", "carol")


class Stream:
    def __init__(self, terminal):
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize(
    ("option", "environment", "terminal", "coloured"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {}, True, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(option, environment, terminal, coloured, monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert base.Session("x", quiet=False, color=option).colours(Stream(terminal)) is coloured


def test_a_dry_run_prints_what_would_be_written_and_writes_nothing(capsys, tmp_path):
    assert cli.run(["up", "--clients", "bob,Zoë", "--human", "bob", "--dry-run", "--port", "77"]) == 0
    out = capsys.readouterr().out
    assert f"==> {tmp_path}/.chitty/programs/bob.conf" in out
    assert '"name": "Zoë"' in out
    assert '"port": 77' in out
    assert not list(tmp_path.iterdir())


def test_certificates_are_made_and_told_and_what_is_there_is_kept(capsys, tmp_path):
    assert cli.run(["certs", "certs", "bob", "Zoë", "--host", "chat.example"]) == 0
    first = capsys.readouterr()
    assert first.out.splitlines() == [f"certs/{name}.crt" for name in ("ca", "server", "clients/bob", "clients/zoë")]
    told = tmp_path / "mine.yaml"
    told.write_text(first.err.partition("\n\n")[2])
    found = settings.read(told, resources.path("conf/chitty.yaml"))
    assert all(Path(path).is_file() for path in (found.server.tls.cert, found.server.tls.key))
    assert found.clients.tls.certs == str(tmp_path / "certs")
    assert cli.run(["certs", "certs", "carol"]) == 0
    assert capsys.readouterr().out == "certs/clients/carol.crt\n"
    assert cli.run(["certs", "certs", "carol"]) == 2
    assert "--force" in capsys.readouterr().err
    assert cli.run(["certs", "certs", "carol", "--force", "--days", "3"]) == 0


def test_without_a_stack_the_settings_are_the_default_ones(capsys):
    assert cli.run(["config"]) == 0
    assert "port: 5051" in capsys.readouterr().out


@pytest.mark.parametrize("words", ["chitty leave ", "chitty -C /nonexistent restart ", "chitty kill b"])
def test_completing_names_where_there_are_none_is_no_error(words, monkeypatch, capsys):
    monkeypatch.setenv("_CHITTY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit) as ended:
        cli.cli.main(prog_name="chitty")
    assert ended.value.code in {0, None}
    assert capsys.readouterr().err == ""


def test_one_that_joined_and_went_is_told_from_one_that_is_here(capsys):
    here, gone = Member("bob", "bob", "bot", "RUNNING", 7, joined=True), Member("eve", "eve", "bot", "EXITED")
    assert outcome.tell_joined(base.Session(".chitty", False, "never"), Outcome(joined=[here, gone])) == 0  # noqa: FBT003
    assert capsys.readouterr().err.splitlines() == ["bob joined", "eve joined, and has left by itself"]


@pytest.mark.parametrize(
    ("address", "remark"),
    [("127.0.0.1:5051", ""), ("10.0.0.1:5051", "; chitty connects directly and does not use the proxy of https_proxy")],
)
def test_one_that_has_not_joined_is_told_with_the_proxy_that_is_not_used(address, remark, monkeypatch, capsys):
    for name in proxies():
        monkeypatch.delenv(name)
    monkeypatch.setenv("https_proxy", "http://proxy.example:1")
    late = Member("bob", "bob", "bot", "RUNNING", 7)
    now = Members(1, Server("RUNNING", 2, address), [late])
    assert outcome.judge(Outcome(waiting=[late], members=now)) == base.TIMED_OUT
    assert capsys.readouterr().err == f"chitty: bob has not joined yet: see `chitty logs bob`{remark}\n"


def test_the_help_of_say_tells_what_its_exit_code_6_leaves_open(capsys):
    assert cli.run(["say", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Exit code 6 means that neither came in time: the message may or may not have been published" in said
