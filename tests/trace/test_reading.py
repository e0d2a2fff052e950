"""What is believed of a log, and what an unusual folder of logs proves."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty import journal
from chitty.core.errors import NotRunning, SettingsError
from chitty.trace import reading
from chitty.trace.check import check
from chitty.trace.history import Fate
from chitty.trace.verdict import Finding, Judgement, Status, Verdict

HISTORIES = Path(__file__).parent.parent / "histories"
RUN = HISTORIES / "run"
VALID = HISTORIES / "valid"
LINES = [line for path in sorted(RUN.glob("*.log")) for line in path.read_text(encoding="utf-8").split("\n")]


def finding(verdict: Verdict, id_: str) -> Finding:
    return next(one for one in verdict.findings if one.id == id_)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(VALID, tmp_path / "logs"))


def agrees(line: str) -> None:
    """Compare the fast path with the reference: what it accepts, `parse` reads the same."""
    found = journal.entry(line)
    if found is None:
        return
    wall, level, process, event, lamport, n, rest = found
    fields = journal.fields(event, rest)
    record = journal.parse(line)
    assert (record is None) == (fields is None)
    if record is not None and fields is not None:
        assert (record.wall, record.level, record.process, record.event) == (wall, level, process, event)
        assert record.fields == {"lamport": lamport, "n": n, **fields}


@pytest.mark.parametrize("line", LINES)
def test_every_event_takes_the_fast_path_and_reads_as_by_the_reference(line: str) -> None:
    record = journal.parse(line)
    assert (journal.entry(line) is not None) == (record is not None and bool(record.event))
    agrees(line)


@given(st.sampled_from(LINES), st.integers(0, 200), st.text(max_size=3))
def test_the_fast_path_agrees_with_the_reference_on_damaged_lines(line: str, at: int, damage: str) -> None:
    agrees(line[:at] + damage + line[at + len(damage) :])
    agrees(line[:at])


def test_a_history_knows_the_lives_of_each_process() -> None:
    history = reading.read(RUN)
    assert next(process.name for process in history.processes) == "hub"
    lives = [(life.name, life.fate) for life in history.lives]
    assert lives[:3] == [("hub", Fate.ENDED), ("hub#2", Fate.CRASHED), ("hub#3", Fate.ENDED)]
    assert ("bob", Fate.CRASHED) in lives
    assert ("bob#2", Fate.ENDED) in lives
    for life in history.lives:
        for event in life.events:
            name, _, number = event.place.rpartition(":")
            line = (RUN / name).read_text(encoding="utf-8").split("\n")[int(number) - 1]
            assert f"{event.kind} lamport={event.lamport} n={event.n} " in line
    assert any("listening" in prose.text for prose in history.prose)


def test_a_rotated_log_is_read_whole_and_tells_the_file_of_each_line(folder: Path) -> None:
    data = (folder / "alice.log").read_bytes()
    (folder / "alice.log.2").write_bytes(data[:500])
    (folder / "alice.log.1").write_bytes(data[500:900])
    (folder / "alice.log").write_bytes(data[900:])
    verdict = check(folder)
    assert verdict.judgement is Judgement.VALID
    places = [event.place for life in reading.read(folder).participants for event in life.events]
    assert {place.partition(":")[0] for place in places} == {"alice.log", "alice.log.1", "alice.log.2", "bob.log"}
    for place in places:
        name, _, number = place.rpartition(":")
        assert int(number) <= (folder / name).read_bytes().count(b"\n") + 1


def test_what_was_rotated_away_is_missing_evidence_and_no_violation(folder: Path) -> None:
    for name in ("alice", "server"):
        path = folder / f"{name}.log"
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[7:]), encoding="utf-8")
    verdict = check(folder)
    assert verdict.judgement is Judgement.UNKNOWN
    assert finding(verdict, "W1").missing


def test_without_the_hubs_log_nothing_is_known(folder: Path) -> None:
    (folder / "server.log").unlink()
    verdict = check(folder)
    assert verdict.judgement is Judgement.UNKNOWN
    assert finding(verdict, "P1").status is Status.UNKNOWN


def test_a_participant_without_a_log_is_judged_on_the_hubs_side_only(folder: Path) -> None:
    (folder / "bob.log").unlink()
    verdict = check(folder)
    assert verdict.judgement is Judgement.VALID
    assert verdict.census.unobserved == 1


def test_an_empty_folder_proves_nothing(tmp_path: Path) -> None:
    assert check(tmp_path).judgement is Judgement.UNKNOWN
    with pytest.raises(NotRunning):
        check(tmp_path / "none")


def test_a_stacks_directory_is_that_of_its_logs(folder: Path) -> None:
    assert check(folder.parent).census == check(folder).census


@pytest.mark.parametrize("cut", [30, 60, 90, 110])
def test_a_last_line_may_break_off_where_there_is_no_end(folder: Path, cut: int) -> None:
    path = folder / "bob.log"
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join(lines[:9]) + "\n" + lines[9][:cut], encoding="utf-8")
    verdict = check(folder)
    assert finding(verdict, "W1").status is Status.HELD
    assert verdict.judgement is not Judgement.INVALID


def test_lines_without_a_head_and_of_others_are_counted_and_not_believed(folder: Path) -> None:
    path = folder / "bob.log"
    forged = path.read_text(encoding="utf-8").split("\n")[3].replace(" bob deliver", " carol deliver")
    path.write_text(path.read_text(encoding="utf-8") + f"Traceback\nKilled\n{forged}\n", encoding="utf-8")
    verdict = check(folder)
    assert verdict.judgement is Judgement.VALID
    assert (verdict.census.headless, verdict.census.strangers) == (2, 1)


def with_windows_line_ends(folder: Path) -> None:
    for path in folder.glob("*.log"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def test_logs_with_the_line_ends_of_windows_are_read_as_ours_are(folder: Path) -> None:
    before = check(folder)
    lines = [event.says.text for event in reading.read(folder).events]
    with_windows_line_ends(folder)
    after = check(folder)
    assert after == before
    assert [event.says.text for event in reading.read(folder).events] == lines


def test_a_rotation_between_carriage_return_and_newline_loses_no_line(folder: Path) -> None:
    before = check(folder)
    with_windows_line_ends(folder)
    data = (folder / "alice.log").read_bytes()
    cut = data.index(b"\r\n", 600) + 1
    (folder / "alice.log.1").write_bytes(data[:cut])
    (folder / "alice.log").write_bytes(data[cut:])
    assert check(folder).census == before.census
    assert check(folder).judgement is Judgement.VALID


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8-sig", "begins with a byte order mark, and logs have none: remove it"),
        ("utf-16", "is encoded as UTF-16, and logs are UTF-8: convert it, with `iconv -f UTF-16 -t UTF-8"),
        ("utf-16-le", "is encoded as UTF-16LE, and logs are UTF-8: convert it, with `iconv -f UTF-16LE -t UTF-8"),
        ("utf-16-be", "is encoded as UTF-16BE, and logs are UTF-8: convert it, with `iconv -f UTF-16BE -t UTF-8"),
        ("utf-32", "is encoded as UTF-32, and logs are UTF-8: convert it, with `iconv -f UTF-32 -t UTF-8"),
    ],
)
def test_a_log_in_another_encoding_is_told_with_the_command_that_converts_it(
    folder: Path, encoding: str, told: str
) -> None:
    path = folder / "alice.log"
    utf_8 = path.read_bytes()
    path.write_bytes(utf_8.decode("utf-8").encode(encoding))
    for look in (check, reading.read):
        with pytest.raises(SettingsError) as caught:
            look(folder)
        assert str(caught.value).startswith(f"{path} {told}")
    command = str(caught.value).split("`")[1]
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert path.read_bytes() == utf_8
    assert check(folder).judgement is Judgement.VALID


def test_a_log_that_a_forged_line_gives_to_another_is_missing_evidence(folder: Path) -> None:
    path = folder / "bob.log"
    path.write_text(path.read_text(encoding="utf-8").replace(" bob start", " mallory start", 1), encoding="utf-8")
    verdict = check(folder)
    assert verdict.judgement is Judgement.UNKNOWN
    assert finding(verdict, "W1").missing == [
        "bob.log has events of bob, who joined, and only those of mallory, whose event is the first in it, are believed"
    ]
