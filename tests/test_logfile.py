import itertools
from contextlib import ExitStack, closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty import logfile
from chitty.logfile import Growing


class Supervisord:
    """Writes a log and rotates it as supervisord does: after a write, whatever that cut in two."""

    def __init__(self, log, max_bytes, backups=50):
        self.log, self.max_bytes, self.backups = log, max_bytes, backups
        self.file = log.open("ab")

    def write(self, data: bytes):
        self.file.write(data)
        self.file.flush()
        if self.max_bytes and self.file.tell() >= self.max_bytes:
            self.rotate()

    def rotate(self):
        self.file.close()
        if self.backups:
            for number in range(self.backups - 1, 0, -1):
                old = self.log.with_name(f"{self.log.name}.{number}")
                if old.exists():
                    old.replace(self.log.with_name(f"{self.log.name}.{number + 1}"))
            self.log.replace(self.log.with_name(f"{self.log.name}.1"))
        self.file = self.log.open("wb")

    def close(self):
        self.file.close()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "bob.log"


@pytest.fixture
def open_files():
    with ExitStack() as stack:
        yield lambda opened: stack.enter_context(closing(opened))


@given(pieces=st.lists(st.binary(max_size=30).map(lambda piece: piece.replace(b"\r", b"")), max_size=40))
def test_every_line_is_read_once_whatever_a_rotation_cuts(pieces, tmp_path_factory):
    log = tmp_path_factory.mktemp("logs") / "bob.log"
    writer = Supervisord(log, 20)
    growing = Growing(log)
    read = []
    for number, piece in enumerate(pieces):
        writer.write(piece)
        if number % 3 == 0:
            read += growing.read()
    read += growing.read()
    growing.close()
    writer.close()
    expected = [line.decode("utf-8", "backslashreplace") for line in b"".join(pieces).split(b"\n")]
    assert read == expected[:-1], "a last line without an end is not whole yet"
    whole = expected if expected[-1] else expected[:-1]
    assert list(logfile.lines(log)) == whole
    assert list(logfile.last_lines(log)) == [line for line in reversed(expected) if line]


def test_several_rotations_between_two_looks_lose_nothing(log, open_files):
    writer = open_files(Supervisord(log, 10))
    growing = open_files(Growing(log))
    for number in range(9):
        writer.write(b"line %d\n" % number)
    assert growing.read() == [f"line {number}" for number in range(9)]
    for number in range(9, 30):
        writer.write(b"line %d\n" % number)
    assert growing.read() == [f"line {number}" for number in range(9, 30)]


def test_what_is_written_to_a_file_just_before_it_is_rotated_is_not_lost(log, open_files, monkeypatch):
    writer = open_files(Supervisord(log, 0))
    growing = open_files(Growing(log))
    writer.write(b"one\n")
    assert growing.read() == ["one"]
    behind = growing._is_behind

    def rotated_meanwhile():
        writer.write(b"two\n")
        writer.rotate()
        writer.write(b"three\n")
        return behind()

    monkeypatch.setattr(growing, "_is_behind", rotated_meanwhile)
    assert growing.read() == ["two", "three"]


def test_a_rotation_between_listing_the_files_and_opening_them_loses_nothing(log, open_files, monkeypatch):
    writer = open_files(Supervisord(log, 0))
    for text in (b"one\n", b"two\n", b"three\n"):
        writer.write(text)
        writer.rotate()
    list_files, rotations = logfile.generations, iter([True])

    def then_rotate(path):
        found = list_files(path)
        if next(rotations, False):
            writer.write(b"four\n")
            writer.rotate()
        return found

    monkeypatch.setattr(logfile, "generations", then_rotate)
    assert list(logfile.lines(log)) == ["one", "two", "three", "four"]


def test_a_log_that_is_truncated_in_place_is_read_from_its_beginning(log, open_files):
    writer = open_files(Supervisord(log, 16, backups=0))
    growing = open_files(Growing(log))
    writer.write(b"first\n")
    assert growing.read() == ["first"]
    writer.write(b"second line\n")  # and truncated
    writer.write(b"3\n")
    assert growing.read() == ["3"]


def test_a_log_that_is_removed_and_made_anew_is_read_on(log, open_files):
    growing = open_files(Growing(log))
    assert growing.read() == []
    log.write_text("one\n")
    assert growing.read() == ["one"]
    log.unlink()
    assert growing.read() == []
    log.write_text("two\n")
    assert growing.read() == ["two"]


def test_a_log_that_was_renamed_and_not_made_again_is_read(log, open_files):
    log.write_text("one\n")
    log.rename(log.with_name("bob.log.1"))
    growing = open_files(Growing(log))
    assert growing.read() == ["one"]
    at_end = open_files(Growing(log, at_end=True))
    with log.with_name("bob.log.1").open("a") as file:
        file.write("two\n")
    log.write_text("three\n")
    assert growing.read() == ["two", "three"]
    assert at_end.read() == ["two", "three"]


def test_from_the_end_means_from_the_last_whole_line(log, open_files):
    log.write_bytes(b"old\nhalf")
    growing = open_files(Growing(log, at_end=True))
    assert growing.read() == []
    with log.open("ab") as file:
        file.write(b" done\nnew\n")
    assert growing.read() == ["half done", "new"]


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_long_line_without_an_end_is_found_from_behind(log, size, open_files):
    log.write_bytes(b"first\n" + b"x" * size)
    growing = open_files(Growing(log, at_end=True))
    with log.open("ab") as file:
        file.write(b"y\n")
    assert growing.read() == ["x" * size + "y"]


def test_a_log_that_grows_while_it_is_read_has_an_end(log):
    log.write_text("one\n")
    read = []
    for line in itertools.islice(logfile.lines(log), 100):
        read.append(line)
        with log.open("a") as file:
            file.write("more\n")
    assert read == ["one"]


def test_a_log_that_is_not_there_has_no_lines(log):
    assert list(logfile.lines(log)) == []
    assert list(logfile.last_lines(log)) == []


def test_bytes_that_are_no_text_are_shown_as_what_they_are(log):
    log.write_bytes(b"\xff\xfe\n")
    assert list(logfile.lines(log)) == ["\\xff\\xfe"]


def test_another_programs_log_is_none_of_its_backups(tmp_path):
    (tmp_path / "bob.log").write_text("a\n")
    (tmp_path / "bob.log.x").write_text("b\n")
    (tmp_path / "bob2.log.1").write_text("c\n")
    assert list(logfile.lines(tmp_path / "bob.log")) == ["a"]


def test_the_line_ends_of_windows_are_read_as_newlines(log, open_files):
    log.write_bytes(b"one\r\ntwo \r three\r\n\r\nfour\r\n")
    wanted = ["one", "two \r three", "", "four"]
    assert list(logfile.lines(log)) == wanted
    assert [line for piece in logfile.pieces(log) for line in piece.lines] == wanted
    assert list(logfile.last_lines(log)) == ["four", "two \r three", "one"]
    assert open_files(Growing(log)).read() == wanted
