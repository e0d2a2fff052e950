"""Scenario `fanout`: how much is delivered when publishers keep messages outstanding; all systems in turn."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping

from chitty.lab.bench import bed, results, systems
from chitty.lab.bench.bed import Bed
from chitty.lab.bench.results import Point, Sample, Where
from chitty.lab.bench.scenario import Collected, Lab, Options
from chitty.lab.bench.systems import CHITTY, NAIVE, NATS

NAME = "fanout"
SIZES = (3, 30, 100, 1000)
PUBLISHERS = 10
OUTSTANDING = (1, 8, 256)

BYTES, PROTOBUF = "bytes", "protobuf"
"""How deliveries are decoded: NATS has only bytes, and what is compared is decoded alike."""


def measure(lab: Lab) -> Iterable[Point]:
    """Measure all shapes of load on all systems."""
    collected = Collected(NAME)
    for participants in lab.options.sizes(*SIZES):
        with _beds(lab, participants) as beds:
            shapes = [
                (name, shape)
                for shape in _shapes(participants, lab.options)
                for name in beds
                if _applies(name, shape, lab.options)
            ]
            for run in range(1, lab.options.runs + 1):
                for name, shape in shapes:
                    lab.tell(f"run {run}: {name}, {_words(shape)}")
                    collected.add(name, shape, _measured(beds[name], shape, lab.options.seconds))
    return collected.points()


@contextlib.contextmanager
def _beds(lab: Lab, participants: int) -> Iterator[Mapping[str, Bed]]:
    with contextlib.ExitStack() as stack:
        made = {}
        for name in (CHITTY, *lab.options.peers):
            lab.tell(f"{participants} participants join {name}")
            changes = systems.MEMORY if name == CHITTY else {}
            folder = lab.place(f"{NAME}-{name}")
            publishers = min(participants, PUBLISHERS)
            made[name] = stack.enter_context(bed.made(name, folder, participants, publishers, **changes))
        yield made


def _shapes(participants: int, options: Options) -> Iterator[Where]:
    """Yield what is measured, the same for every system that it applies to."""
    many = min(participants, PUBLISHERS)
    for publishers in (1, many):
        for outstanding in (1, 8) if options.quick else OUTSTANDING:
            yield results.shape(participants, publishers, outstanding, PROTOBUF)
    yield results.shape(participants, many, 8, BYTES)
    yield results.shape(participants, 1, 64, BYTES)


def _applies(system: str, shape: Where, options: Options) -> bool:
    """Tell whether a shape is measured on a system: all on Chitty-Chat, and on peers what is compared."""
    if system == NATS or shape["decoding"] == BYTES:
        return system != NAIVE and shape["decoding"] == BYTES
    many = shape["publishers"] == min(PUBLISHERS, int(shape["participants"]))
    compared = shape["outstanding"] == 8 or (shape["outstanding"] == 256 and shape["participants"] == 100)  # noqa: PLR2004
    return system == CHITTY or (many and (compared or options.quick))


def _measured(on: Bed, shape: Where, seconds: float) -> Sample:
    if len(on.system.decodings) > 1:
        on.decode(str(shape["decoding"]))
    return on.load(seconds, publishers=int(shape["publishers"]), outstanding=int(shape["outstanding"]))


def _words(shape: Where) -> str:
    return (
        f"{shape['participants']} participants, {shape['publishers']} publishers,"
        f" {shape['outstanding']} outstanding, {shape['decoding']}"
    )
