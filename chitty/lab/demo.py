"""A run together with what it proves: plays a scenario, keeps its logs, has them checked, drawn and reported.

What can be made of logs is a list of stages, at the end; each is imported when it is its turn.
"""

import importlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from chitty import __version__, hints, logfile
from chitty.core.errors import AlreadyExists, ChittyError, StackError, cause
from chitty.lab.run import Watch, own_stack, play
from chitty.lab.scenario import Scenario
from chitty.stack.control import quiet
from chitty.stack.down import down
from chitty.stack.layout import Layout
from chitty.stack.membership import Caller

_MARK = "scenario.yaml"  # in every directory that a demo has made, and so may make anew


class Outcome(StrEnum):
    """What became of a stage."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"  # evidence is missing: neither well nor failed
    MISSING = "missing"  # something has to be installed for it
    ABSENT = "absent"  # this version of Chitty-Chat does not have it


@dataclass(frozen=True, slots=True)
class Made:
    """What a stage made, or why it did not, in a line for people."""

    name: str
    outcome: Outcome
    said: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Something that is made of the logs of a run.

    Attributes:
        name: what people call it.
        function: what makes it, as `module:function`; imported when it is its turn.
        make: is given that function and the directory of the run, and may raise a ChittyError.
        extra: of the package, which has what the function needs.
        file: that it makes; an earlier one is removed, for it is of another run.
    """

    name: str
    function: str
    make: Callable[[Any, Path], tuple[Outcome, str]]
    extra: str = ""
    file: str = ""


def record(
    directory: Path,
    scenario: Scenario,
    seed: int,
    caller: Caller,
    watch: Watch,
    tell: Callable[[str], None] = quiet,
) -> None:
    """Play a scenario on a stack of its own, and keep its logs and the scenario itself in a directory.

    An earlier demo in the directory is replaced, once the new one has gone well.

    Raises:
        AlreadyExists: the directory has something else in it that would be overwritten.
        StackError: it cannot be written.
        ChittyError: the scenario failed, as of `play`.
    """
    _check_free(directory)
    with own_stack(None, tell) as stack:
        play(stack, scenario, seed, caller, watch)
        down(stack)  # before its logs are copied: each then has its end
        try:
            _keep(stack.layout, directory, scenario, seed)
        except OSError as error:
            raise StackError(f"cannot write {error.filename or directory}: {cause(error)}") from None


def produce(directory: Path) -> Iterator[Made]:
    """Make everything that can be made of a recorded run, in its directory, stage by stage."""
    for stage in STAGES:
        yield Made(stage.name, *_made(stage, directory))


def _made(stage: Stage, directory: Path) -> tuple[Outcome, str]:
    module, _, name = stage.function.partition(":")
    absent = "not part of this version"
    try:
        function = getattr(importlib.import_module(module), name, None)
        return (Outcome.ABSENT, absent) if function is None else stage.make(function, directory)
    except ImportError as error:
        if (error.name or "").startswith("chitty."):
            return Outcome.ABSENT, f"{absent}: {error}"
        remedy = f": `{hints.install(stage.extra)}`" if stage.extra else ""
        return Outcome.MISSING, f"{error.name} is not installed{remedy}"
    except ChittyError as error:
        return Outcome.FAILED, str(error)


def _check_free(directory: Path) -> None:
    if (directory / _MARK).exists():
        return
    for taken in (directory / "logs", directory / "events.jsonl"):
        if taken.exists():
            raise AlreadyExists(f"{taken} is of something else than a demo: give another directory")


def _keep(layout: Layout, directory: Path, scenario: Scenario, seed: int) -> None:
    logs = directory / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    for stage in STAGES:
        if stage.file:
            (directory / stage.file).unlink(missing_ok=True)
    text = Path(scenario.source).read_text(encoding="utf-8")
    played = f"# Played by Chitty-Chat {__version__}{f' with --seed {seed}' if scenario.by_chance else ''}.\n"
    (directory / _MARK).write_text(played + text, encoding="utf-8")
    # not supervisord's own log: it has nothing of the chat, and paths of this machine
    for log in logfile.logs(layout.logs):
        for file in logfile.generations(log):
            if file.exists():
                shutil.copyfile(file, logs / file.name)
    shutil.copyfile(layout.events, directory / layout.events.name)


def _check(check: Callable[[Path], Any], directory: Path) -> tuple[Outcome, str]:
    verdict = check(directory)
    by_status: dict[str, list[str]] = {}
    for finding in verdict.findings:
        by_status.setdefault(str(finding.status), []).append(finding.id)
    counts = "; ".join(
        f"{status}: {', '.join(ids) if status != 'held' else f'{len(ids)} properties'}"
        for status, ids in by_status.items()
    )
    outcomes = {"valid": Outcome.DONE, "invalid": Outcome.FAILED, "unknown": Outcome.UNKNOWN}
    return outcomes[str(verdict.judgement)], f"{verdict.judgement}, {verdict.census.events} events; {counts}"


def _file(name: str, function: str, file: str, extra: str = "") -> Stage:
    """Return a stage whose function is `write(directory, file)`."""

    def make(write: Callable[[Path, Path], Any], directory: Path) -> tuple[Outcome, str]:
        write(directory, directory / file)
        return Outcome.DONE, f"made {directory / file}"

    return Stage(name, function, make, extra, file)


STAGES: tuple[Stage, ...] = (
    Stage("check", "chitty.trace.check:check", _check),
    _file("diagram", "chitty.trace.diagram:write", "diagram.svg"),
    _file("diagram", "chitty.trace.diagram:write", "diagram.html"),
    _file("report", "chitty.trace.report:write", "report.pdf", "report"),
)
"""What is made of every demo, in this order; what is not there is told to be absent. This is the place to add to."""
