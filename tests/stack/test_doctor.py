import os
import shutil
import tempfile
from pathlib import Path

import pytest

from chitty.stack import doctor
from chitty.stack.control import Stack
from chitty.stack.layout import Layout

NOBODY = 65534


@pytest.fixture
def stack(monkeypatch):
    """A stack that does not run, examined by an account that permissions bind: root is not bound by any."""
    folder = Path(tempfile.mkdtemp(prefix="chitty-doctor-"))
    layout = Layout.of(folder / "s")
    layout.make()
    if os.geteuid() == 0:
        for path in [folder, layout.directory, *layout.directory.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield Stack(layout)
    os.seteuid(os.getuid())
    shutil.rmtree(folder)


def ill(stack):
    return [finding.text for finding in doctor.examine(stack) if not finding.well]


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
@pytest.mark.parametrize("folder", ["", "programs", "clients", "logs", "ready", "locks"])
def test_a_folder_that_cannot_be_looked_into_is_a_finding(stack, folder, mode):
    (stack.layout.logs / "bob.log").touch()
    place = stack.layout.directory / folder
    (place / "bob").touch()
    place.chmod(mode)
    try:
        found = ill(stack)
    finally:
        place.chmod(0o700)
    assert f"cannot look into {place}: Permission denied; `chmod u+rwx {place}` mends that" in found


def test_a_file_that_vanishes_meanwhile_is_no_finding(stack, monkeypatch):
    def listing(folder):
        yield folder / "gone"

    monkeypatch.setattr(Path, "iterdir", listing)
    assert ill(stack) == []
