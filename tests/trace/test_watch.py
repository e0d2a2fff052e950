"""A run is judged while it goes on: what breaks is told once, as soon as it shows."""

from pathlib import Path

from chitty.trace import watch
from chitty.trace.verdict import Judgement
from chitty.trace.watch import Watch

HISTORIES = Path(__file__).parent.parent / "histories"


def pieces(folder: Path, count: int) -> list[dict[str, str]]:
    """Cut the logs of a run into so many consistent cuts by wall time; lines without a time go with the next."""
    lines = {path.name: path.read_text(encoding="utf-8").splitlines(keepends=True) for path in folder.glob("*.log")}
    walls = sorted(line[:27] for log in lines.values() for line in log if line[:2] == "20")
    limits = [walls[len(walls) * part // count] for part in range(1, count)] + ["9999"]
    cuts = []
    for limit in limits:
        cut = {}
        for name, log in lines.items():
            length = next((at for at, line in enumerate(log) if line[:2] == "20" and line[:27] > limit), len(log))
            cut[name], lines[name] = "".join(log[:length]), log[length:]
        cuts.append(cut)
    return cuts


def watched(source: Path, folder: Path, parts: int) -> tuple[list[list[str]], Watch]:
    """Let a run be written part by part, and look after each; return what was told at each look."""
    folder.mkdir()
    watching = Watch(folder, lambda _: True)
    told = []
    for cut in pieces(source, parts):
        for name, text in cut.items():
            with (folder / name).open("a", encoding="utf-8") as log:
                log.write(text)
        told.append([violation.property for violation in watching.look()])
    told.append([violation.property for violation in watching.look(to_the_end=True)])
    watching.close()
    return told, watching


def past(_seconds: float) -> str:
    return "9999"


def test_nothing_is_told_of_a_run_that_is_right(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watch, "now_less", past)  # the runs are of another day
    told, watching = watched(HISTORIES / "run", tmp_path / "logs", 25)
    assert not any(told)
    assert watching.verdict.judgement is Judgement.VALID


def test_what_breaks_is_told_at_once_and_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watch, "now_less", past)
    for source in sorted(HISTORIES.glob("[CPW]*")):
        told, watching = watched(source, tmp_path / source.name, 6)
        assert source.name in {id_ for look in told for id_ in look}, source.name
        assert sum(map(len, told)) == len(watching.verdict.violations)
    told, _ = watched(HISTORIES / "C1", tmp_path / "again", 6)
    assert any(told[:4]), "told before the run was over"


def test_a_line_waits_until_what_came_before_it_must_be_there(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watch, "now_less", lambda _: "2000")
    told, watching = watched(HISTORIES / "C1", tmp_path / "logs", 3)
    assert not any(told[:3])
    assert "C1" in told[3]
    assert watching.verdict.census.events > 0


def test_lines_from_before_the_clock_was_set_back_are_judged_with_those_after_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watch, "now_less", lambda _: "2026-11-23T07:28:05")
    events = 0
    for path in (HISTORIES / "run").glob("*.log"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        lines = [line.replace("T08:", "T07:", 1) if line > "2026-11-23T08:27:50" else line for line in lines]
        (tmp_path / path.name).write_text("".join(lines), encoding="utf-8")
        events += sum(" lamport=" in line for line in lines)
    watching = Watch(tmp_path, lambda _: True)
    assert watching.look() == []
    assert watching.verdict.census.events == events
    watching.close()


def test_a_breach_is_placed_in_the_file_where_it_is_by_now(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watch, "now_less", past)
    watching = Watch(tmp_path, lambda _: True)
    seen = 0
    for cut in pieces(HISTORIES / "C1", 4):
        for name, text in cut.items():
            for age in (2, 1):
                if (older := tmp_path / f"{name}.{age}").exists():
                    older.rename(tmp_path / f"{name}.{age + 1}")
            if (tmp_path / name).exists():
                (tmp_path / name).rename(tmp_path / f"{name}.1")
            (tmp_path / name).write_text(text, encoding="utf-8")
        for violation in watching.look():
            for event, place in zip(violation.witnesses, violation.places, strict=True):
                name, _, number = place.rpartition(":")
                line = (tmp_path / name).read_text(encoding="utf-8").split("\n")[int(number) - 1]
                assert f" {event.kind} lamport={event.lamport} n={event.n} " in line
                seen += 1
    assert seen
    watching.close()
