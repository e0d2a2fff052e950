"""What tests of drawings share: runs by chance, and runs written out by hand."""

import json
from pathlib import Path

from chitty.trace import reading
from chitty.trace.axis import Axis
from chitty.trace.causality import Causality
from chitty.trace.faults import Faults
from chitty.trace.layout import lay_out
from chitty.trace.selection import Breach, Selection, Wish, select
from chitty.trace.shapes import Diagram
from tests.trace.simulating import Run

VIOLATION = Path(__file__).parents[2] / "docs/violation"
"""Logs of a run whose clock condition is broken: bob's clock does not merge what it receives."""


def by_chance(folder: Path, seed: int, steps: int = 60, names: list[str] | None = None) -> Path:
    run = Run(seed, names or ["alice", "bob", "carol"])
    for _ in range(steps):
        run.go_on()
    run.write(folder)
    return folder


def chosen(folder: Path, wish: Wish | None = None) -> Selection:
    history = reading.read(folder)
    return select(history, Causality(history), wish or Wish())


def drawn(
    folder: Path,
    axis: Axis = Axis.LAMPORT,
    wish: Wish | None = None,
    faults: Faults | None = None,
    breaches: tuple[Breach, ...] = (),
) -> Diagram:
    return lay_out(chosen(folder, wish), axis, faults, breaches)


def saying(folder: Path, name: str, text: str) -> Path:
    """Write a run in which one joins and says something; names and texts may be what no service would accept."""
    head = "2026-11-23T03:11:50.{:06d}Z INFO"
    said, joined = json.dumps(text), json.dumps(f"Participant {name} joined Chitty-Chat at Lamport time 3")
    author, who = "a11ce00000000001", f"participant={name}"
    hub = [
        "hub start lamport=0 n=1 format=1 epoch=5b1e77c0 pid=1 version=0.1.0",
        f"hub receive lamport=2 n=2 op=join id={author}.1 stamped=1 {who}",
        f"hub broadcast lamport=3 n=3 op=join epoch=5b1e77c0 seq=1 cause={author}.1 members=1 {who} text={joined}",
        f"hub receive lamport=6 n=4 op=publish id={author}.2 stamped=5 {who}",
        f"hub broadcast lamport=7 n=5 op=publish epoch=5b1e77c0 seq=2 cause={author}.2 members=1 {who} text={said}",
    ]
    own = [
        f"{name} start lamport=0 n=1 format=1 incarnation={author} pid=2 version=0.1.0",
        f"{name} send lamport=1 n=2 op=join id={author}.1",
        f"{name} deliver lamport=4 n=3 op=join epoch=5b1e77c0 seq=1 stamped=3 participant={name} text={joined}",
        f"{name} send lamport=5 n=4 op=publish id={author}.2 text={said}",
        f"{name} deliver lamport=8 n=5 op=publish epoch=5b1e77c0 seq=2 stamped=7 participant={name} text={said}",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for file, lines in (("server", hub), ("one", own)):
        numbered = [f"{head.format(index)} {line}" for index, line in enumerate(lines)]
        (folder / f"{file}.log").write_text("\n".join(["", *numbered, ""]), encoding="utf-8")
    return folder
