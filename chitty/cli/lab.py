"""Runs that are played from a file: run, demo."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chitty.cli.base import DONE, FAILED, FOLDER, UNKNOWN, Session, caller, example, printable, with_session

if TYPE_CHECKING:
    from chitty.lab.demo import Made
    from chitty.lab.run import Watch
    from chitty.lab.scenario import Scenario


@click.command("run", epilog=example("chitty run crash", "chitty run churn --seed 7 -o churn", "chitty run mine.yaml"))
@click.argument("file")
@click.option("--seed", type=click.IntRange(min=0), help="Of what is left to chance: the same seed, the same steps.")
@click.option("-o", "directory", metavar="DIR", type=FOLDER, help="Of its stack; otherwise a temporary one.")
@click.option("--keep", is_flag=True, help="Leave the stack running afterwards.")
@with_session
def run_scenario(session: Session, *, file: str, seed: int | None, directory: Path | None, keep: bool) -> int:
    """Play a scenario on a fresh stack, and take that down.

    FILE is YAML, or the name of a scenario that comes with Chitty-Chat, such as demo, churn, crash or slow.
    """
    from chitty.lab import run as playing
    from chitty.lab import scenario

    _forbid_other_stack()
    found = scenario.read(scenario.find(file))
    session.notice(found.title)
    chosen = _seed(session, found, seed)
    with playing.own_stack(directory, session.notice, keep=keep) as stack:
        playing.play(stack, found, chosen, caller(), _steps(session))
    session.notice("all went as the scenario says")
    return DONE


@click.command(epilog=example("chitty demo", "chitty demo -o docs/demo", "chitty demo --seed 7 -o churn"))
@click.option("-o", "directory", metavar="DIR", type=FOLDER, default="demo", show_default=True, help="For all of it.")
@click.option("--seed", type=click.IntRange(min=0), help="Play twenty who come and go by chance instead.")
@with_session
def demo(session: Session, *, directory: Path, seed: int | None) -> int:
    """Play the demo, keep its logs, and have them checked, drawn and reported."""
    from chitty.lab import demo as demonstration
    from chitty.lab import scenario

    _forbid_other_stack()
    found = scenario.read(scenario.find("demo" if seed is None else "churn"))
    session.notice(found.title)
    demonstration.record(directory, found, seed or 0, caller(), _steps(session), session.notice)
    click.echo(f"logs: {directory / 'logs'}")
    codes = {_told(made) for made in demonstration.produce(directory)}
    return FAILED if FAILED in codes else max(codes)


def _steps(session: Session) -> "Watch":
    from chitty.lab import progress

    return progress.Silence() if session.quiet else progress.Lines(sys.stderr, colour=session.colours(sys.stderr))


def _seed(session: Session, found: "Scenario", seed: int | None) -> int:
    """Return the seed given, or one by chance that is told, so that the run can be played again."""
    if not found.by_chance:
        return 0
    chosen = int.from_bytes(os.urandom(3)) if seed is None else seed
    session.notice(f"seed {chosen}: with `--seed {chosen}` the steps are the same")
    return chosen


def _told(made: "Made") -> int:
    """Say what a stage of a demo made, and return the exit code for it."""
    codes = {"done": DONE, "absent": DONE, "unknown": UNKNOWN}
    click.echo(printable(f"{made.name}: {made.said}"))
    return codes.get(made.outcome, FAILED)


def _forbid_other_stack() -> None:
    """Refuse -C where it would be ignored."""
    root = click.get_current_context().find_root()
    if root.get_parameter_source("directory") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("a scenario has a stack of its own: name its directory with -o, after the command")
