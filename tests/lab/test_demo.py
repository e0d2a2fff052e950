"""What becomes of the stages of a demo, and which directories it takes."""

import sys
import types

import pytest

from chitty import hints, resources, settings
from chitty.core.errors import AlreadyExists, StackError
from chitty.lab import demo, progress, scenario
from chitty.lab.demo import Made, Outcome, Stage
from chitty.lab.steps import Expect, Kill, Say
from chitty.stack.membership import Caller


@pytest.fixture
def module(monkeypatch):
    """A module of the trace, to be imported by its name."""
    made = types.ModuleType("chitty.trace.made")
    made.write = object()
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def produce(monkeypatch, tmp_path, *stages: Stage) -> list[Made]:
    monkeypatch.setattr(demo, "STAGES", stages)
    return list(demo.produce(tmp_path))


def test_stages_are_made_in_order_and_one_that_fails_stops_none(monkeypatch, tmp_path, module):
    def fail(_write, _run):
        raise StackError("no ink")

    stages = [
        Stage("first", "chitty.trace.made:write", fail),
        Stage(
            "second", "chitty.trace.made:write", lambda *given: (Outcome.DONE, str(given == (module.write, tmp_path)))
        ),
    ]
    assert produce(monkeypatch, tmp_path, *stages) == [
        Made("first", Outcome.FAILED, "no ink"),
        Made("second", Outcome.DONE, "True"),
    ]


@pytest.mark.parametrize("function", ["chitty.trace.film:write", "chitty.trace.made:film"])
def test_what_this_version_does_not_have_is_told(monkeypatch, tmp_path, module, function):
    (made,) = produce(monkeypatch, tmp_path, Stage("film", function, lambda *_: (Outcome.DONE, "")))
    assert (made.name, made.outcome) == ("film", Outcome.ABSENT)
    assert made.said.startswith("not part of this version")


@pytest.mark.parametrize(("extra", "remedy"), [("report", f": `{hints.install('report')}`"), ("", "")])
def test_what_has_to_be_installed_is_told(monkeypatch, tmp_path, module, extra, remedy):
    def press(_write, _run):
        import no_such_press  # noqa: F401, PLC0415

    (made,) = produce(monkeypatch, tmp_path, Stage("report", "chitty.trace.made:write", press, extra))
    assert made == Made("report", Outcome.MISSING, f"no_such_press is not installed{remedy}")


@pytest.mark.parametrize("taken", ["logs", "events.jsonl"])
def test_a_directory_of_something_else_is_left_alone(tmp_path, taken):
    default = settings.text_of(resources.path("conf/chitty.yaml"))
    nothing = scenario.load("title: t\nsteps: [up: 0]", "x", default)
    (tmp_path / taken).mkdir()
    with pytest.raises(AlreadyExists, match=f"{taken} is of something else than a demo"):
        demo.record(tmp_path, nothing, 0, Caller(sys.executable, ()), progress.Silence())
    assert (tmp_path / taken).is_dir()


class Terminal:
    def __init__(self, tty: bool) -> None:
        self.said = ""
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty

    def write(self, text: str) -> None:
        self.said += text

    def flush(self) -> None:
        pass


def test_a_step_is_one_line_with_its_tick_and_time(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    file = Terminal(tty=False)
    lines = progress.Lines(file, colour=False)
    for number, (step, well) in enumerate([(Kill(who="bob"), True), (Say(who="bob", text="🙂" * 40), False)], 1):
        lines.begins(number, step)
        lines.ended(number, step, 1.25, well=well)
    assert file.said.splitlines() == [
        "✓    1  bob is killed                                  1.2 s",
        "✗    2  bob says '🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂...    1.2 s",
    ]


def test_on_a_terminal_the_step_being_played_is_seen_and_written_over():
    terminal = Terminal(tty=True)
    lines = progress.Lines(terminal, colour=True)
    lines.begins(1, Kill(who="bob"))
    assert terminal.said.startswith("·    1  bob is killed")
    assert terminal.said.endswith("\r")
    lines.ended(1, Kill(who="bob"), 0.0, well=True)
    assert "\x1b[32m✓\x1b[0m    1  bob is killed" in terminal.said


def test_what_a_text_does_to_a_terminal_is_escaped(monkeypatch):
    file = Terminal(tty=False)
    for step in (Say(who="bob", text="\x1b[31m\n"), Expect(participants=1, that="\x1b[31m\n")):
        progress.Lines(file, colour=False).ended(1, step, 0.0, well=True)
    assert "\x1b" not in file.said
    assert file.said.count("\n") == 2
