"""docs/performance.md: a run as a page. Pure: every figure on it is the run's, and none is written by hand."""

from collections.abc import Iterable, Iterator

from chitty.lab.bench import limits, plots, tables
from chitty.lab.bench.results import Run
from chitty.lab.bench.tables import Table
from chitty.lab.bench.words import number

COMMAND = "chitty bench --doc docs/performance.md"
"""What remakes the page."""

_ALTS = {
    "deliveries": "deliveries a second over the number of participants",
    "cost": "processor time for a delivery over the number of participants",
    "latency": "p99 over the rate of messages",
    "memory": "memory for a participant over their number",
    "up": "seconds until all have joined over their number",
}


_HOW = """\
What is compared takes turns, run by run,
and a ratio is taken within a run, so that a machine that is slower for a while is slower for both. Servers,
subscribers and publishers are processes of their own on one machine, over the loopback.

- **naive** is a straightforward grpc.aio server, `chitty/load/naive.py`: a queue and a write for each participant and
  event, unary publishes. Its subscribers parse the same protobuf messages. It logs nothing.
- **NATS core** is nats-server, publish and subscribe. Its messages are the texts alone, without order, names, time or
  receipts; its subscribers only count bytes, and Chitty-Chat's do so too where the two are compared.
- Beside peers Chitty-Chat keeps its order in memory, as they do. It logs two lines a message all the same."""

_GOALS = "By the medians. `void`: the load generator was the limit, so that nothing is said about the servers."

_LEGEND = """\
N participants, of whom P publish, each with W messages outstanding. `events a read`: how many travelled together.
`server us/delivery`: processor time of the server. Cores are those of all threads of a side. Limited by: the side
whose busiest thread was busy all the time; `both` also where the two shared all cores; `neither` where both waited,
for what is outstanding. Latencies of a full load are those of queues: receipts do not wait for deliveries."""

_LIMITS = """\
Each part was measured by itself in the same run, and its share is what it would take at that cost. Together, parts
share caches and cores, and shares need not add up to a whole."""

_PROCESSES = "Each is a process under supervisord that logs every delivery to its file, on the default settings."


def render(run: Run, folder: str) -> str:
    """Return the page as Markdown; plots are in `folder`, beside it."""
    return "\n".join(_lines(run, folder))


def _lines(run: Run, folder: str) -> Iterator[str]:
    yield "# Performance"
    yield ""
    yield f"Made by `{COMMAND}`, which measures everything anew on the machine that it is run on;"
    yield f"the figures behind it are in [{folder}/run.json]({folder}/run.json). Nothing here is written by hand."
    yield ""
    if run.options["quick"]:
        yield "**This was a quick run, to see that the bench works: its figures mean nothing.**"
        yield ""
    yield from _machine(run)
    yield from _how(run)
    yield from _section("What it must reach", _GOALS, _table(tables.goals(run)))
    yield from _section("Deliveries", "", _plot("deliveries", folder), _table(tables.fanout(run)), [_LEGEND, ""])
    yield from _section("How cost grows with N", "", _plot("cost", folder), _growth(run))
    yield from _section(
        "What limits each figure, and how far it is from that",
        _LIMITS,
        _table(limits.table(run)),
        _table(tables.costs(run)),
    )
    yield from _section("Latency", "", _plot("latency", folder), _table(tables.latency(run)))
    yield from _section(
        "Participants as processes", _PROCESSES, _table(tables.participants(run)), _table(tables.checks(run))
    )
    yield from _section(
        "Joining, and what idle participants cost",
        "",
        _plot("up", folder),
        _plot("memory", folder),
        _table(tables.joins(run)),
        _table(tables.commands(run)),
    )
    yield from _section("Durability", "", _table(tables.durable(run)))
    yield from _section("Recovery", "", _table(tables.recover(run)))


def _section(title: str, text: str, *parts: Iterable[str]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    if text:
        yield text
        yield ""
    for part in parts:
        yield from part


def _machine(run: Run) -> Iterator[str]:
    machine = run.machine
    yield "## The machine"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| processor | {machine.processor}, {machine.cores} cores |"
    yield f"| memory | {machine.memory} |"
    yield f"| system | {machine.system} |"
    yield f"| versions | {', '.join(f'{name} {version}' for name, version in machine.versions.items())} |"
    yield f"| measured | {run.began}, in {number(sum(run.took.values()) / 60)} minutes |"
    elsewhere = [
        sample.values["elsewhere"] for point in run.points for sample in point.samples if "elsewhere" in sample.values
    ]
    if elsewhere:
        yield f"| used by others meanwhile | {number(sum(elsewhere) / len(elsewhere))} cores on average |"
    yield ""


def _how(run: Run) -> Iterator[str]:
    yield "## How it is measured"
    yield ""
    yield f"Each figure is the median of {run.options['runs']} runs, with the smallest and the largest in brackets;"
    yield f"one load lasts {number(float(run.options['seconds']))} s, and until all of it is delivered. {_HOW}"
    for what, why in run.skipped.items():
        yield f"- **{what} was skipped**: {why}."
    yield ""


def _growth(run: Run) -> Iterator[str]:
    for one in limits.growth(run):
        name = "Chitty-Chat" if one.system == "chitty" else one.system
        yield (
            f"- {name}, W=8: a message costs the server {number(one.fixed)} us of processor time, and"
            f" {number(one.each)} us more for each participant (least squares over the sizes above)."
        )
    yield ""


def _plot(name: str, folder: str) -> Iterator[str]:
    assert name in plots.PLOTS
    yield f"![{_ALTS[name]}]({folder}/{name}.svg)"
    yield ""


def _table(table: Table) -> Iterator[str]:
    if not table.rows:
        yield "Not measured."
        yield ""
        return
    yield "| " + " | ".join(table.columns) + " |"
    yield "|" + "|".join("---" if table.is_words(at) else "--:" for at in range(len(table.columns))) + "|"
    for row in table.rows:
        yield "| " + " | ".join(row) + " |"
    yield ""
