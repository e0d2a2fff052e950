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
    assert not (runtime / "chitty").exists(), "who only looks makes nothing"
    found.make()
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
        layout.detour(tmp_path / ("d" * 99)).make()
    with pytest.raises(StackError, match="not a folder of yours alone"):
        layout.detour(tmp_path / ("d" * 99)).check()


def test_a_folder_that_is_a_link_is_refused(tmp_path, runtime):
    (runtime / "chitty").symlink_to(runtime)
    with pytest.raises(StackError, match="not a folder of yours alone"):
        layout.detour(tmp_path / ("d" * 99)).make()
    with pytest.raises(StackError, match="not a folder of yours alone"):
        layout.detour(tmp_path / ("d" * 99)).check()


@pytest.mark.parametrize("name", ["[x]", "a*", "b?"])
def test_a_directory_that_is_a_pattern_gets_a_plain_link(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    link = layout.detour(tmp_path / name).link
    assert link is not None
    assert re.fullmatch(r"[0-9a-f]{16}", link.name)


def test_the_socket_is_what_the_written_configuration_says(tmp_path):
    stack = Layout.of(tmp_path)
    assert stack.socket() == stack.directory / "s.sock"
    own = f"/run/elsewhere/{layout.key(tmp_path)}.sock"
    stack.config.write_text(f"[unix_http_server]\nfile={own}\n")
    assert str(stack.socket()) == own


def test_a_configuration_copied_from_another_directory_does_not_name_the_socket(tmp_path):
    stack = Layout.of(tmp_path)
    (tmp_path / "other").mkdir()
    stack.config.write_text(f"[unix_http_server]\nfile=/run/chitty/{layout.key(tmp_path / 'other')}.sock\n")
    assert stack.socket() == stack.directory / "s.sock"


def test_a_directory_keeps_its_plain_paths_when_it_is_moved_and_a_new_one_in_its_place_has_others(tmp_path):
    old, new = tmp_path / ("d" * 99), tmp_path / ("e" * 99)
    old.mkdir()
    found = layout.detour(old)
    old.rename(new)
    old.mkdir()
    assert layout.detour(new) == found
    assert layout.detour(old) != found


def test_the_folders_are_for_their_owner_only(tmp_path):
    stack = Layout.of(tmp_path / "new")
    stack.make()
    stack.make()
    for folder in (stack.directory, stack.programs, stack.clients, stack.logs, stack.ready):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o750, 0o701])
def test_a_directory_that_others_may_enter_is_closed_to_them_whatever_the_umask(tmp_path, mode):
    stack = Layout.of(tmp_path / "loose")
    old = os.umask(0)
    try:
        for folder in (stack.directory, stack.clients, stack.logs):
            folder.mkdir()
            folder.chmod(mode)
        stack.settings.write_text("of an earlier run")
        stack.make()
    finally:
        os.umask(old)
    for folder in (stack.directory, stack.programs, stack.clients, stack.logs, stack.ready, stack.locks):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_empty_directory_is_closed_too(tmp_path):
    stack = Layout.of(tmp_path / "empty")
    stack.directory.mkdir(mode=0o755)
    stack.make()
    assert stat.S_IMODE(stack.directory.stat().st_mode) == 0o700


def test_one_with_other_things_in_it_is_not_taken_from_others(tmp_path):
    stack = Layout.of(tmp_path / "home")
    stack.directory.mkdir()
    (stack.directory / "page.html").write_text("for all to read")
    stack.directory.chmod(0o755)
    with pytest.raises(StackError, match=r"is open to others \(mode 0755\) and has other things .* `chmod 700"):
        stack.make()
    assert stat.S_IMODE(stack.directory.stat().st_mode) == 0o755
    assert [path.name for path in stack.directory.iterdir()] == ["page.html"]
    stack.directory.chmod(0o700)
    stack.make()


def test_a_directory_of_another_account_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(layout.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StackError, match="belongs to another account"):
        Layout.of(tmp_path / "theirs").make()


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="cannot make"):
        Layout.of(tmp_path / "file" / "below").make()
