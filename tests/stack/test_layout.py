import os
import re
import stat
import tempfile
from pathlib import Path

import pytest

from chitty.core.errors import StackError
from chitty.stack import layout
from chitty.stack.layout import Layout, slug


@pytest.fixture
def runtime(monkeypatch):
    """A folder for what a login needs, of a path short enough for sockets, whatever pytest's own are."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.mark.parametrize("name", ["bob", "a", "0", "bob-2", "a_b", "a" * 32])
def test_a_plain_name_is_its_own_slug(name):
    assert slug(name) == name


@pytest.mark.parametrize("name", ["Bob", "a.b", "Ünï", "日本", "A" * 32])
def test_any_other_name_is_hashed_to_what_an_ini_file_can_hold(name):
    assert re.fullmatch(r"p-[0-9a-f]{12}", slug(name))
    assert slug(name) == slug(name)


def test_a_name_cannot_take_the_place_of_a_hash_or_of_another_log():
    forged = slug("Ünï")
    assert slug(forged) not in {forged, slug("Ünï")}
    assert slug("supervisord").startswith("p-")
    assert slug("server").startswith("p-")
    assert slug("p-0123") == "p-0123"


def test_a_short_directory_needs_no_detour(tmp_path):
    assert layout.detour(tmp_path / "a b%;#") == layout.Detour()


def test_a_long_directory_gets_its_socket_in_a_private_folder(tmp_path, runtime):
    long = tmp_path / ("d" * 99)
    found = layout.detour(long)
    assert found.link is None
    assert found.socket.parent == runtime / "chitty"
    assert len(os.fsencode(found.socket)) <= layout.MAX_SOCKET_PATH
    assert stat.S_IMODE(found.socket.parent.stat().st_mode) == 0o700
    assert found == layout.detour(long), "each command finds the same"
    assert found != layout.detour(tmp_path / ("e" * 99))


@pytest.mark.parametrize("runtime", ["", "relative", "/nonexistent", "/tmp/a ;b", "/tmp/" + "x" * 90])
def test_a_runtime_folder_of_no_use_is_not_used(runtime, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    assert str(layout.detour(tmp_path / ("d" * 99)).socket).startswith(f"/tmp/chitty-{os.getuid()}/")


def test_a_folder_that_others_can_write_to_is_refused(tmp_path, runtime):
    (runtime / "chitty").mkdir()
    (runtime / "chitty").chmod(0o777)
    with pytest.raises(StackError, match="not a folder of yours alone"):
        layout.detour(tmp_path / ("d" * 99))


def test_a_folder_that_is_a_link_is_refused(tmp_path, runtime):
    (runtime / "chitty").symlink_to(runtime)
    with pytest.raises(StackError, match="not a folder of yours alone"):
        layout.detour(tmp_path / ("d" * 99))


@pytest.mark.parametrize("name", ["[x]", "a*", "b?"])
def test_a_directory_that_is_a_pattern_gets_a_plain_link(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    link = layout.detour(tmp_path / name).link
    assert link is not None
    assert re.fullmatch(r"[0-9a-f]{16}", link.name)


def test_the_socket_is_what_the_written_configuration_says(tmp_path):
    stack = Layout.of(tmp_path)
    assert stack.socket() == stack.directory / "s.sock"
    stack.config.write_text("[unix_http_server]\nfile=/run/x/y.sock\n")
    assert str(stack.socket()) == "/run/x/y.sock"


def test_the_folders_are_for_their_owner_only(tmp_path):
    stack = Layout.of(tmp_path / "new")
    stack.make()
    stack.make()
    for folder in (stack.directory, stack.programs, stack.clients, stack.logs, stack.ready):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="cannot make"):
        Layout.of(tmp_path / "file" / "below").make()
