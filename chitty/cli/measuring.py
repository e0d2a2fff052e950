"""What is measured: bench."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chitty.cli.base import DONE, FOLDER, Session, example, with_session

if TYPE_CHECKING:
    from chitty.lab.bench.results import Run

# As chitty.lab.bench.measuring.SCENARIOS and chitty.lab.bench.systems.PEERS have them, which only the bench imports.
_SCENARIOS = ("costs", "fanout", "latency", "participants", "join", "durable", "recover")
_PEERS = ("naive", "nats")


@click.command(
    epilog=example(
        "chitty bench --quick",
        "chitty bench --scenario fanout --peer naive -o results",
        "chitty bench --json > run.json",
        "chitty bench --doc docs/performance.md --resume",
    )
)
@click.option(
    "--scenario", "scenarios", type=click.Choice(_SCENARIOS), multiple=True, help="Only this; may be repeated."
)
@click.option("--peer", "peers", type=click.Choice([*_PEERS, "none"]), multiple=True, help="Beside it; otherwise all.")
@click.option("--runs", type=click.IntRange(min=1), help="Each figure is their median; 3 unless told otherwise.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="That a load lasts; 1.5 unless told otherwise.")
@click.option("--quick", is_flag=True, help="Only see that everything works: the figures mean nothing.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("-o", "output", metavar="DIR", type=FOLDER, help="Keep the run there as run.json, with plots as SVG.")
@click.option(
    "--doc", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Make the page of it, too."
)
@click.option("--resume", is_flag=True, help="Go on with the run that is kept there.")
@click.option(
    "--from",
    "source",
    metavar="RUN",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measure nothing: show the run of this file.",
)
@with_session
def bench(
    session: Session,
    *,
    scenarios: tuple[str, ...],
    peers: tuple[str, ...],
    runs: int | None,
    seconds: float | None,
    quick: bool,
    as_json: bool,
    output: Path | None,
    doc: Path | None,
    resume: bool,
    source: Path | None,
) -> int:
    """Measure speed: tables, plots and a page, of Chitty-Chat and its peers.

    Scenarios: costs of the parts, fanout, latency, participants as processes, join, durable, recover.
    Peers are loaded as it is: `naive`, a straightforward server, and `nats`, if nats-server is installed.
    Load comes from processes of their own; where they were the limit, and not the server, it says so.
    """
    from chitty.lab.bench import measuring, systems, writing
    from chitty.lab.bench.scenario import Options

    folder = writing.folder_of(doc) if doc else output
    if resume and folder is None:
        raise click.UsageError("--resume needs -o DIR or --doc FILE: where the run is kept")
    if source is not None:
        run = measuring.load(source)
    else:
        base = measuring.QUICK if quick else Options()
        options = Options(runs or base.runs, seconds or base.seconds, quick)
        wanted = tuple(peer for peer in peers or systems.PEERS if peer != "none")
        keep = functools.partial(writing.write_run, folder=folder) if folder else _forget
        before = measuring.load(folder / writing.RUN) if resume and folder else None
        with _progress(session) as tell:
            run = measuring.measure(measuring.Request(options, scenarios, wanted), tell, keep, before)
    assert run is not None  # the file that is shown exists
    if output is not None:
        writing.write_plots(run, output)
    if doc is not None:
        writing.write_page(run, doc)
    _show(session, run, as_json=as_json)
    return DONE


def _show(session: Session, run: "Run", *, as_json: bool) -> None:
    from chitty.lab.bench import results, show

    if as_json:
        click.echo(results.encode(run), nl=False)
    else:
        show.print_tables(run, sys.stdout, colour=session.colours(sys.stdout))


def _forget(_run: object) -> None:
    """Keep nothing."""


@contextlib.contextmanager
def _progress(session: Session) -> Iterator[Callable[[str], None]]:
    """Give what says what is being measured: a line that changes on a terminal, and otherwise one a scenario."""
    if sys.stderr.isatty() and not session.quiet:
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            yield status.update
        return
    said: set[str] = set()

    def tell(text: str) -> None:
        scenario = text.partition(":")[0]
        if scenario not in said:
            said.add(scenario)
            session.notice(scenario)

    yield tell
