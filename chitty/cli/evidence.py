"""What the logs of a run show and prove: diagram, check, report."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chitty import streams
from chitty.cli.base import DONE, FAILED, FOLDER, UNKNOWN, Session, example, with_session
from chitty.cli.values import Name

if TYPE_CHECKING:
    from chitty.stack.control import Stack
    from chitty.trace.verdict import Verdict

# As chitty.trace.diagram.Format and chitty.trace.axis.Axis have them, which only drawing imports.
_FORMATS = ("svg", "html", "mermaid", "shiviz", "perfetto", "png")
_AXES = ("lamport", "order", "wall")


@click.command(
    epilog=example(
        "chitty diagram -o run.html", "chitty diagram docs/demo --participant bob --from 10 --to 40 > part.svg"
    )
)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="`-` is stdout.")
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="Otherwise what the file's ending says; svg.")
@click.option("--axis", type=click.Choice(_AXES), default="lamport", show_default=True, help="What runs down.")
@click.option("--from", "first", metavar="L", type=click.IntRange(min=0), help="Lamport time to begin with.")
@click.option("--to", "last", metavar="L", type=click.IntRange(min=0), help="Lamport time to end with.")
@click.option("--participant", "who", type=Name(running=False), multiple=True, help="Only this one; may be repeated.")
@with_session
def diagram(
    session: Session,
    *,
    folder: Path | None,
    output: Path | None,
    kind: str | None,
    axis: str,
    first: int | None,
    last: int | None,
    who: tuple[str, ...],
) -> int:
    """Draw a run from its logs: a space-time diagram, or what another program draws.

    DIR is a stack's directory, or any folder of logs; otherwise the stack of -C.
    """
    from chitty.trace import diagram as drawing
    from chitty.trace.axis import Axis
    from chitty.trace.selection import Wish

    if first is not None and last is not None and first > last:
        raise click.UsageError(f"--from {first} is later than --to {last}")
    piped = output is not None and str(output) == "-"
    named = drawing.format_of(output) if output is not None and not piped and kind is None else drawing.Format.SVG
    wanted = drawing.Format(kind) if kind is not None else named
    wish = Wish(first, last, who)
    made = drawing.draw(folder or Path(session.directory), wanted, Axis(axis), wish, alive=_lives, warn=session.notice)
    for warning in made.warnings:
        session.notice(warning)
    if output is None and sys.stdout.isatty():
        output = Path(f"diagram{drawing.ending_of(wanted)}")
    if output is None or piped:
        sys.stdout.buffer.write(made.data)
        return DONE
    drawing.save(made, output)
    session.notice(f"drawn: {output}")
    return DONE


@click.command(
    short_help="Prove from the logs that the run kept its promises.",
    epilog=example("chitty check", "chitty check docs/demo --json", "chitty check --watch"),
)
@click.argument("where", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--watch", is_flag=True, help="Follow a running stack, and say at once when a property breaks.")
@with_session
def check(session: Session, *, where: Path | None, as_json: bool, watch: bool) -> int:
    """Judge a run by its logs alone: those of a stack, running or long gone, or of any folder of log files.

    For each property: held, violated, not exercised, or unknown where evidence is missing. Exit code 0 when all
    that was exercised held, 1 when something was violated, 7 when that cannot be known.
    """
    from chitty import process
    from chitty.trace import check as checking
    from chitty.trace import show
    from chitty.trace.watch import SETTLE, now_less

    folder = where or Path(session.directory)
    colour = session.colours(sys.stdout)
    runs = _stack_at(session, folder).answers()
    if watch:
        verdict = _watched(session, folder, as_json=as_json)
    elif runs:
        until = now_less(0)
        time.sleep(SETTLE)  # what was written by then is in the logs by now
        verdict = checking.check(folder, until=until, alive=process.alive)
    else:
        verdict = checking.check(folder)
    click.echo(show.as_json(verdict) if as_json else show.as_text(verdict, colour=colour), color=colour)
    return {"valid": DONE, "invalid": FAILED, "unknown": UNKNOWN}[verdict.judgement]


@click.command(
    short_help="Typeset a run as a PDF, with its logs as evidence.",
    epilog=example("chitty report", "chitty report docs/demo -o demo.pdf --author Ada --author Ben"),
)
@click.argument("where", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "output",
    metavar="FILE",
    default="report.pdf",
    show_default=True,
    type=click.Path(path_type=Path),
    help="PDF.",
)
@click.option("--title", default="Chitty-Chat", show_default=True, help="On the first page.")
@click.option("--author", "authors", multiple=True, help="On the first page; may be repeated.")
@click.option("--repo", metavar="URL", default="", help="Where the source code is.")
@click.option("--fonts", metavar="DIR", type=FOLDER, help="Fonts for scripts that the built-in ones have not.")
@with_session
def report(
    session: Session,
    *,
    where: Path | None,
    output: Path,
    title: str,
    authors: tuple[str, ...],
    repo: str,
    fonts: Path | None,
) -> int:
    """Typeset a report on a run: design, traced calls, verdict, requirements, and all its logs.

    DIR is a stack's directory, or any folder of logs; otherwise the stack of -C. The same logs give the same bytes.
    They are never cut; a line of them takes about 50 kB of memory.

    Needs typst, which `bin/chitty` sets up; elsewhere it comes with the extra `report`.
    """
    from chitty import process
    from chitty.trace import report as reporting
    from chitty.trace.watch import SETTLE, now_less

    folder = where or Path(session.directory)
    cover = reporting.Cover(title, authors, repo)
    if _stack_at(session, folder).answers():
        until = now_less(0)
        time.sleep(SETTLE)  # what was written by then is in the logs by now
        made = reporting.write(folder, output, cover, until=until, alive=process.alive, fonts=fonts)
    else:
        made = reporting.write(folder, output, cover, fonts=fonts)
    for warning in made.warnings:
        session.notice(warning)
    session.notice(f"typeset: {output}")
    return DONE


def _stack_at(session: Session, directory: Path) -> "Stack":
    from chitty.stack.control import Stack
    from chitty.stack.layout import Layout

    return Stack(Layout.of(directory), session.notice)


def _watched(session: Session, folder: Path, *, as_json: bool) -> "Verdict":
    """Follow a stack and tell what breaks, until it stops or somebody interrupts; return the last verdict."""
    from chitty import process
    from chitty.trace import show
    from chitty.trace.watch import Watch

    following = Watch(folder, process.alive)
    stack = _stack_at(session, folder)
    names_ = {judge.id: judge.name for judge in following.checker.properties}
    colour = session.colours(sys.stderr if as_json else sys.stdout)
    session.notice("watching: nothing is said while every property holds; Ctrl-C ends it with the verdict")
    try:
        for broken in following.follow(lambda: streams.reader_stays() and stack.answers()):
            for violation in broken:
                line = show.breach(violation, names_[violation.property], colour=colour)
                click.echo(line, err=as_json, color=colour)
    except KeyboardInterrupt:
        following.look()
    finally:
        following.close()
    return following.verdict


def _lives(pid: int) -> bool:
    """Tell whether a process of Chitty-Chat has this pid now; pids are used again by others."""
    try:
        return b"chitty" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
