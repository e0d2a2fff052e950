"""How far figures are from what limits them, by the costs that the same run measured. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chitty.lab.bench.results import Point, Run, Where
from chitty.lab.bench.tables import Table
from chitty.lab.bench.words import number, rough

_LOOKED_AT: Sequence[tuple[str, Where]] = (
    ("chitty", {"participants": 100, "publishers": 10, "outstanding": 256, "decoding": "protobuf"}),
    ("chitty", {"participants": 100, "publishers": 10, "outstanding": 8, "decoding": "protobuf"}),
    ("chitty", {"participants": 1000, "publishers": 10, "outstanding": 8, "decoding": "protobuf"}),
    ("naive", {"participants": 100, "publishers": 10, "outstanding": 8, "decoding": "protobuf"}),
)


@dataclass(frozen=True, slots=True)
class Growth:
    """What a message costs the server: so much, and so much more for each participant, in microseconds."""

    system: str
    fixed: float
    each: float


def table(run: Run) -> Table:
    """Return for some figures what each of its parts takes, as a share of what there is."""
    rows: list[list[str]] = []
    for system, where in _LOOKED_AT:
        point = run.one("fanout", system, **where)
        if point is not None:
            rows += _parts(run, point)
    rows += _process(run)
    rows += _commits(run)
    return Table("What limits each figure", ("figure", "part", "its cost", "it takes", "of"), rows, words=2)


def growth(run: Run) -> list[Growth]:
    """Return how the cost of a message grows with the participants, by least squares over the sizes measured."""
    found = []
    for system, decoding in (("chitty", "protobuf"), ("naive", "protobuf")):
        points = [
            (size, point.figure("cpu_per_delivery").median * size)
            for point in run.of("fanout", system, decoding=decoding, outstanding=8)
            if (size := float(point.where["participants"])) and int(point.where["publishers"]) > 1
        ]
        if len(points) > 1:
            found.append(Growth(system, *_line(points)))
    return found


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the height at 0 and the slope that fit best, deviations taken in proportion (weights 1/y^2)."""
    weights = [1 / (y * y) for _, y in points]
    total = sum(weights)
    x_mean = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    y_mean = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    above = sum(w * (x - x_mean) * (y - y_mean) for w, (x, y) in zip(weights, points, strict=True))
    slope = above / sum(w * (x - x_mean) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    return max(0.0, y_mean - slope * x_mean), slope


def _parts(run: Run, point: Point) -> Iterator[list[str]]:
    loopback, grpc, processor = (run.one("costs", part) for part in ("loopback", "grpc", "processor"))
    if loopback is None or grpc is None or processor is None:
        return
    delivered, pieces = (point.figure(key).median for key in ("delivered", "pieces"))
    name = (
        f"{point.system}, N={point.where['participants']}, P={point.where['publishers']},"
        f" W={point.where['outstanding']}: {rough(delivered)} deliveries/s"
    )
    carried, most = point.figure("bytes").median, loopback.figure("bytes").median
    yield [name, "the loopback", f"{number(most / 1e6)} MB/s", _share(carried / most), "what one connection carries"]
    write, read = grpc.figure("write").median, grpc.figure("read").median
    used = point.figure("server").median
    yield ["", "writes of gRPC", f"{number(write)} us", _share(pieces * write / 1e6 / used), "the server's time"]
    if point.system == "chitty":
        line, encode = (processor.figure(key).median for key in ("line", "encode"))
        spent = delivered / float(point.where["participants"]) * (2 * line + encode)
        yield [
            "",
            "encoding, two log lines",
            f"{number(2 * line + encode)} us",
            _share(spent / 1e6 / used),
            "the server's time",
        ]
    alone = pieces >= delivered
    parse = processor.figure("parse_alone" if alone else "parse").median
    load = point.figure("subscribing").median
    yield ["", "reads of gRPC", f"{number(read)} us", _share(pieces * read / 1e6 / load), "the subscribers' time"]
    yield ["", "parsing", f"{number(parse)} us", _share(delivered * parse / 1e6 / load), "the subscribers' time"]


def _process(run: Run) -> Iterator[list[str]]:
    point, processor = run.one("participants", processes=1), run.one("costs", "processor")
    if point is None or processor is None:
        return
    each = 1e6 / point.figure("per_core").median
    name = f"a participant's process: {rough(1e6 / each)} deliveries/s of a core"
    for what, key in (("parsing", "parse"), ("log lines", "line")):
        cost = processor.figure(key).median
        yield [name, what, f"{number(cost)} us", _share(cost / each), "the process's time"]
        name = ""


def _commits(run: Run) -> Iterator[list[str]]:
    disk = run.one("costs", "disk")
    for point in run.of("durable", kept="sqlite full"):
        if disk is None:
            return
        rounds = point.figure("pieces").median / float(point.where["participants"])
        fsync = disk.figure("p50").median
        name = f"SQLite FULL, W={point.where['outstanding']}: {rough(point.figure('delivered').median)} deliveries/s"
        yield [name, "one fsync a round", f"{number(fsync)} ms", _share(rounds * fsync / 1e3), "the clock"]


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
