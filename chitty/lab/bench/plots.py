"""Which plots are made of a run. Pure."""

from collections.abc import Callable

from chitty.lab.bench import plot
from chitty.lab.bench.plot import Line, Plot
from chitty.lab.bench.results import Figure, Point, Run, Where

_TEN, _EIGHT = 10, 8


def every(run: Run) -> dict[str, str]:
    """Return every plot as SVG, by the name of its file."""
    return {f"{name}.svg": plot.render(make(run)) for name, make in PLOTS.items()}


def deliveries(run: Run) -> Plot:
    """Return deliveries a second over the number of participants."""
    lines = [
        Line("Chitty-Chat", _fanout(run, "chitty", "protobuf")),
        Line("naive", _fanout(run, "naive", "protobuf")),
        Line("NATS core, bytes only", _fanout(run, "nats", "bytes")),
        Line("Chitty-Chat, 256 outstanding", _fanout(run, "chitty", "protobuf", 256)),
        Line("Chitty-Chat, bytes only", _fanout(run, "chitty", "bytes")),
    ]
    return Plot(
        "Deliveries a second",
        "Up to 10 publishers with 8 messages outstanding each; bars are the range of the runs",
        "participants",
        "deliveries/s",
        lines,
    )


def cost(run: Run) -> Plot:
    """Return the processor time of the server for a delivery over the number of participants."""
    lines = [
        Line("Chitty-Chat", _fanout(run, "chitty", "protobuf", key="cpu_per_delivery")),
        Line("naive", _fanout(run, "naive", "protobuf", key="cpu_per_delivery")),
        Line("NATS core", _fanout(run, "nats", "bytes", key="cpu_per_delivery")),
        Line("Chitty-Chat, 256 outstanding", _fanout(run, "chitty", "protobuf", 256, "cpu_per_delivery")),
    ]
    return Plot(
        "What a delivery costs the server",
        "Processor time; up to 10 publishers with 8 messages outstanding each",
        "participants",
        "microseconds",
        lines,
    )


def latency(run: Run) -> Plot:
    """Return the p99 over the rate of messages."""
    few = 3  # participants: with so few the peers are alike, and lines over lines say nothing
    found: dict[tuple[str, int], list[tuple[float, Figure]]] = {}
    for point in run.of("latency"):
        key = point.system, int(point.where["participants"])
        if point.figure("p99").low > 0 and (point.system == "chitty" or key[1] > few):
            found.setdefault(key, []).append((float(point.where["rate"]), point.figure("p99")))
    names = {"chitty": "Chitty-Chat", "naive": "naive", "nats": "NATS core"}
    lines = [Line(f"{names[system]}, {size:,}", points) for (system, size), points in sorted(found.items())]
    return Plot(
        "Latency: p99 from publish to delivery",
        "Numbers are participants; one publisher",
        "messages a second",
        "milliseconds",
        lines,
    )


def memory(run: Run) -> Plot:
    """Return memory for a participant over their number."""
    lines = [
        Line("server, for each", _over(run, "join", "library", "server_memory", 1e-6)),
        Line("library, all in one process", _over(run, "join", "library", "client_memory", 1e-6)),
        Line("process of its own (PSS)", _over(run, "join", "up", "participant_memory", 1e-6)),
    ]
    return Plot("Memory for a participant", "Idle, all joined", "participants", "MB", lines)


def up(run: Run) -> Plot:
    """Return the time until all have joined over their number."""
    lines = [
        Line("chitty up, a process each", _over(run, "join", "up", "seconds")),
        Line("library, in one process", _over(run, "join", "library", "seconds")),
    ]
    return Plot("Until all have joined", "By the clock, from the first to the last", "participants", "seconds", lines)


PLOTS: dict[str, Callable[[Run], Plot]] = {
    "deliveries": deliveries,
    "cost": cost,
    "latency": latency,
    "memory": memory,
    "up": up,
}


def _fanout(
    run: Run, system: str, decoding: str, outstanding: int = _EIGHT, key: str = "delivered"
) -> list[tuple[float, Figure]]:
    where: Where = {"decoding": decoding, "outstanding": outstanding}
    found: dict[float, Point] = {}
    for point in run.of("fanout", system, **where):
        size = int(point.where["participants"])
        if point.where["publishers"] == min(_TEN, size):
            found[size] = point
    return _points(found, key)


def _over(run: Run, scenario: str, system: str, key: str, scale: float = 1.0) -> list[tuple[float, Figure]]:
    found = {float(point.where["participants"]): point for point in run.of(scenario, system)}
    return _points(found, key, scale)


def _points(found: dict[float, Point], key: str, scale: float = 1.0) -> list[tuple[float, Figure]]:
    points = []
    for size, point in sorted(found.items()):
        values = [value * scale for value in point.values(key)]
        if values and min(values) > 0:
            points.append((size, Figure.of(values)))
    return points
