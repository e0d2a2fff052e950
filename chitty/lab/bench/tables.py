"""What a run found, as tables: the same for a terminal and for the page. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chitty.lab.bench import reach
from chitty.lab.bench.results import Figure, Point, Run
from chitty.lab.bench.words import figure, number

Cell = Callable[[Point], str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: columns that hold figures are set to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1

    def is_words(self, column: int) -> bool:
        """Tell whether a column holds words."""
        return column < self.words or self.columns[column] in {"limited by", "reached"}


def every(run: Run) -> list[Table]:
    """Return every table of a run that has something in it."""
    made = (
        goals(run),
        fanout(run),
        latency(run),
        participants(run),
        checks(run),
        joins(run),
        commands(run),
        durable(run),
        recover(run),
        costs(run),
    )
    return [table for table in made if table.rows]


def goals(run: Run) -> Table:
    """Return what must be reached, and what was."""
    rows = []
    for one in reach.judge(run):
        goal = one.goal
        bounds = [f"{bound:,g}{goal.unit}" for bound in (goal.floor, goal.aim)]
        measured = figure(one.figure, goal.unit) if one.figure else "not measured"
        rows.append([goal.what, *bounds, measured, one.verdict])
    return Table("What it must reach", ("what", "floor", "aim", "measured", "reached"), rows)


def fanout(run: Run) -> Table:
    """Return the scenario `fanout`."""
    columns: dict[str, Cell] = {
        "system": lambda point: point.system,
        "N": _where("participants"),
        "P": _where("publishers"),
        "W": _where("outstanding"),
        "decoded to": _where("decoding"),
        "published/s": _median("published"),
        "delivered/s": _ranged("delivered"),
        "events a read": lambda point: number(
            point.figure("delivered").median / max(1.0, point.figure("pieces").median)
        ),
        "p50 ms": _median("p50"),
        "p99 ms": _median("p99"),
        "server us/delivery": _median("cpu_per_delivery"),
        "server cores": _median("server"),
        "load cores": lambda point: number(point.figure("publishing").median + point.figure("subscribing").median),
        "limited by": lambda point: point.limit,
    }
    return _table(
        "Fan-out: N participants, P of them publish with W messages outstanding each", columns, run.of("fanout")
    )


def latency(run: Run) -> Table:
    """Return the scenario `latency`."""
    columns: dict[str, Cell] = {
        "system": lambda point: point.system,
        "N": _where("participants"),
        "messages/s": _where("rate"),
        "p50 ms": _ranged("p50"),
        "p99 ms": _ranged("p99"),
        "max ms": _ranged("max"),
        "server cores": _median("server"),
    }
    return _table("Latency: from publish to delivery, at a rate", columns, run.of("latency"))


def participants(run: Run) -> Table:
    """Return the scenario `participants`, but for `check`."""
    columns: dict[str, Cell] = {
        "what": lambda point: "one process catches up" if "processes" in point.where else "a stack",
        "N": lambda point: str(point.where.get("participants", 1)),
        "delivered/s": _ranged("delivered"),
        "p50 ms": _median("p50"),
        "p99 ms": _median("p99"),
        "us of a core each": lambda point: figure(_each(point)),
        "deliveries/s of a core": lambda point: figure(_of_core(point)),
        "server cores": _median("server"),
        "limited by": lambda point: point.limit,
    }
    found = run.of("participants", "chitty")
    return _table("Participants: processes that log every delivery", columns, found)


def checks(run: Run) -> Table:
    """Return how quickly their logs were checked."""
    columns: dict[str, Cell] = {
        "of": lambda point: f"{point.where['participants']} participants and the server",
        "lines": _median("lines"),
        "seconds": _ranged("seconds"),
        "lines/s": _ranged("per_second"),
    }
    return _table(
        "Check: the whole command on the logs of those participants", columns, run.of("participants", "check")
    )


def joins(run: Run) -> Table:
    """Return the scenario `join`, but for the commands."""
    how = {"library": "the library, in one process", "wire": "bare clients", "up": "`chitty up`, a process each"}
    columns: dict[str, Cell] = {
        "through": lambda point: how[point.system],
        "N": _where("participants"),
        "seconds": _ranged("seconds"),
        "joins/s": lambda point: number(int(point.where["participants"]) / point.figure("seconds").median),
        "KB each, server": lambda point: figure(_server_memory(point), scale=1e-3),
        "KB each, client": lambda point: figure(_client_memory(point), scale=1e-3),
    }
    return _table("Join: all at once, until each has its own join", columns, run.of("join"))


def commands(run: Run) -> Table:
    """Return how long whole commands take."""
    columns: dict[str, Cell] = {"N": _where("participants")}
    for command in ("status", "say", "leave", "down"):
        columns[f"`{command}` ms"] = _ranged(command, 1e3)
    return _table("Commands: as a whole, on N participants", columns, run.of("join", "up"))


def durable(run: Run) -> Table:
    """Return the scenario `durable`."""
    columns: dict[str, Cell] = {
        "kept in": _where("kept"),
        "N": _where("participants"),
        "P": _where("publishers"),
        "W": _where("outstanding"),
        "published/s": _median("published"),
        "delivered/s": _ranged("delivered"),
        "p50 ms": _median("p50"),
        "p99 ms": _median("p99"),
        "server cores": _median("server"),
        "limited by": lambda point: point.limit,
    }
    return _table("Durable: the same fan-out, the order kept in three ways", columns, run.of("durable", "chitty"))


def recover(run: Run) -> Table:
    """Return the scenario `recover`."""
    columns: dict[str, Cell] = {
        "what": lambda point: (
            f"{point.where['events']:,} events in the log" if "events" in point.where else "a stack, under supervisord"
        ),
        "N": lambda point: str(point.where.get("participants", 1)),
        "served after s": _ranged("started"),
        "first delivery after s": _ranged("first"),
        "delivered to all after s": _ranged("all"),
    }
    return _table("Recover: from kill -9 of the server", columns, run.of("recover"))


def costs(run: Run) -> Table:
    """Return the scenario `costs`."""
    rows = []
    for what, unit, scale, key, point in (
        ("the loopback, one connection", " MB/s", 1e-6, "bytes", run.one("costs", "loopback")),
        ("gRPC: a write, at the server", " us", 1, "write", run.one("costs", "grpc", size=110)),
        ("gRPC: a read, at the client", " us", 1, "read", run.one("costs", "grpc", size=110)),
        ("gRPC: memory of a stream on a connection of its own", " KB", 1e-3, "memory", _streams(run)),
        ("an event parsed, among many in one response", " us", 1, "parse", run.one("costs", "processor")),
        ("an event parsed, alone in its response", " us", 1, "parse_alone", run.one("costs", "processor")),
        ("an event encoded", " us", 1, "encode", run.one("costs", "processor")),
        ("a log line, among many in one record", " us", 1, "line", run.one("costs", "processor")),
        ("an event on the wire", " bytes", 1, "size", run.one("costs", "processor")),
        ("fsync of 4 KB, p50", " ms", 1, "p50", run.one("costs", "disk")),
        ("fsync of 4 KB, p99", " ms", 1, "p99", run.one("costs", "disk")),
    ):
        if point is not None:
            rows.append([what, figure(point.figure(key), unit, scale)])
    return Table("Costs: what nothing can do without", ("what", "measured"), rows)


def _streams(run: Run) -> Point | None:
    return next((point for point in run.of("costs", "grpc") if "streams" in point.where), None)


def _table(title: str, columns: dict[str, Cell], points: Iterable[Point]) -> Table:
    rows = [[cell(point) for cell in columns.values()] for point in points]
    kept = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    names = list(columns)
    return Table(title, [names[at] for at in kept], [[row[at] for at in kept] for row in rows])


def _where(key: str) -> Cell:
    return lambda point: str(point.where[key])


def _ranged(key: str, scale: float = 1.0) -> Cell:
    return lambda point: figure(point.figure(key), scale=scale) if point.has(key) else ""


def _median(key: str) -> Cell:
    return lambda point: figure(point.figure(key), ranged=False) if point.has(key) else ""


def _of_core(point: Point) -> Figure | None:
    """Return the deliveries for each second of processor time of the participants."""
    if point.has("per_core"):
        return point.figure("per_core")
    found = [1e6 / value for value in point.values("cpu_per_delivery") if value]
    return Figure.of(found) if found else None


def _each(point: Point) -> Figure | None:
    core = _of_core(point)
    return Figure(1e6 / core.median, 1e6 / core.high, 1e6 / core.low) if core else None


def _server_memory(point: Point) -> Figure | None:
    return None if point.system == "up" else point.figure("server_memory")


def _client_memory(point: Point) -> Figure | None:
    for key in ("client_memory", "participant_memory"):
        if point.has(key):
            return point.figure(key)
    return None
