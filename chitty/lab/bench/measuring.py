"""Runs the bench: one scenario after the other, each kept as soon as it is done, so that a run can be resumed."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chitty.core.errors import SettingsError, cause
from chitty.ending import Afterwards
from chitty.lab.bench import costs, durable, fanout, join, latency, machine, participants, recover, results, systems
from chitty.lab.bench.processes import end_all, kill_all
from chitty.lab.bench.results import Run, Where
from chitty.lab.bench.scenario import Lab, Options, Scenario

SCENARIOS: dict[str, Scenario] = {
    module.NAME: module.measure for module in (costs, fanout, latency, participants, join, durable, recover)
}
"""By name, in the order in which they are measured."""

QUICK = Options(runs=1, seconds=0.2, quick=True)
"""A run that only sees that everything works."""

Keep = Callable[[Run], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be measured.

    Attributes:
        scenarios: by name; all when it is empty.
        peers: that are wished beside Chitty-Chat; one that is not installed is skipped.
    """

    options: Options
    scenarios: Sequence[str] = ()
    peers: Sequence[str] = systems.PEERS


def measure(
    request: Request, tell: Callable[[str], None], keep: Keep = lambda _: None, before: Run | None = None
) -> Run:
    """Measure what is asked for, but for what an earlier run has; `keep` is given the run after each scenario.

    Raises:
        SettingsError: the earlier run is of another machine, or was measured otherwise.
        ChittyError: something could not be measured.
    """
    peers = [peer for peer in request.peers if not systems.missing(peer)]
    run = _continued(before, request.options) if before else _new(request.options)
    run.skipped |= {peer: why for peer in request.peers if (why := systems.missing(peer))}
    options = Options(request.options.runs, request.options.seconds, request.options.quick, peers)
    for name in request.scenarios or SCENARIOS:
        if name in run.took:
            continue
        with tempfile.TemporaryDirectory(prefix="chitty-bench-") as folder, Afterwards(end_all, kill_all):
            began = time.monotonic()
            lab = Lab(options, Path(folder), lambda text, name=name: tell(f"{name}: {text}"))  # type: ignore[misc]
            run.points += SCENARIOS[name](lab)
            run.took[name] = round(time.monotonic() - began, 1)
        keep(run)
    return run


def load(path: Path) -> Run | None:
    """Return the run that a file holds, None where there is no file.

    Raises:
        SettingsError: it cannot be read, or is none.
    """
    try:
        return results.decode(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {cause(error)}") from None


def _new(options: Options) -> Run:
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Run(machine.describe(), began, _told(options))


def _continued(before: Run, options: Options) -> Run:
    if before.options != _told(options):
        raise SettingsError(
            f"the run to resume was measured with {before.options}: give the same options, or begin anew"
        )
    if before.machine != machine.describe():
        raise SettingsError("the run to resume is of another machine or of other versions: begin anew")
    return before


def _told(options: Options) -> Where:
    return {"runs": options.runs, "seconds": options.seconds, "quick": int(options.quick)}
