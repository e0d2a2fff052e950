"""The environment of a checkout: bin/chitty makes it for one path, and always runs the code beside it.

Real copies with the real scripts and a real pip. The package is a small one without dependencies that says where it
is, so nothing is downloaded.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MINUTES = 240

pytestmark = pytest.mark.timeout(2 * MINUTES)

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "chitty-chat"
version = "1"

[project.optional-dependencies]
commands = []
"""

# What pip asks of a build backend (PEP 517 and 660), for a wheel that holds the package or points to it.
BACKEND = """\
import os, zipfile
NAME, INFO = "chitty_chat-1-py3-none-any.whl", "chitty_chat-1.dist-info/"
def _wheel(directory, files):
    with zipfile.ZipFile(os.path.join(directory, NAME), "w") as wheel:
        metadata = "Metadata-Version: 2.1\\nName: chitty-chat\\nVersion: 1\\nProvides-Extra: commands\\n"
        files[INFO + "METADATA"] = metadata
        files[INFO + "WHEEL"] = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        files[INFO + "entry_points.txt"] = "[console_scripts]\\nchitty = chitty.__main__:main\\n"
        files[INFO + "RECORD"] = "".join(f"{name},,\\n" for name in [*files, INFO + "RECORD"])
        for name, text in files.items():
            wheel.writestr(name, text)
    return NAME
def build_editable(directory, settings=None, metadata=None):
    return _wheel(directory, {"chitty_chat.pth": os.getcwd()})
def build_wheel(directory, settings=None, metadata=None):
    files = ("chitty/__init__.py", "chitty/__main__.py")
    return _wheel(directory, {name: open(name).read() for name in files})
"""

MAIN = """\
import os, sys
def main():
    print(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), sys.prefix, *sys.argv[1:])
if __name__ == "__main__":
    main()
"""


class Checkout:
    """A directory with bin/chitty in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent),
            "PYTHONPATH": ":.",
            "PIP_NO_INDEX": "1",
        }
        return subprocess.Popen(
            [self.folder / "bin/chitty", *arguments],
            cwd=self.folder.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> str:
        """Run it, see that it runs its own code in its own environment, and return what the set-up said."""
        return self.ended(self.start("hello"))

    def ended(self, started: subprocess.Popen[str]) -> str:
        out, said = started.communicate(timeout=MINUTES)
        assert out.split() == [str(self.folder), str(self.folder / ".venv"), "hello"], out + said
        assert started.returncode == 0
        return said

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Checkout:
    """A checkout that has been run once; tests only copy it."""
    checkout = Checkout(tmp_path_factory.mktemp("checkouts").resolve() / "c")
    shutil.copytree(ROOT / "bin", checkout.folder / "bin")
    checkout.write("pyproject.toml", PYPROJECT)
    checkout.write("backend.py", BACKEND)
    checkout.write("chitty/__init__.py", "")
    checkout.write("chitty/__main__.py", MAIN)
    assert "setting up" in checkout.run()
    assert checkout.run() == ""
    return checkout


def copied(checkout: Checkout, to: Path) -> Checkout:
    subprocess.run(["cp", "-a", checkout.folder, to], check=True)
    return Checkout(to)


def test_a_copied_checkout_and_then_a_moved_one_run_their_own_code(made, tmp_path):
    copy = copied(made, tmp_path / "c2")
    assert "setting up" in copy.run()
    assert copy.run() == ""
    script = subprocess.run([copy.folder / ".venv/bin/chitty"], capture_output=True, text=True, check=True)
    assert script.stdout.split() == [str(copy.folder), str(copy.folder / ".venv")]
    pip = [copy.folder / ".venv/bin/python", "-m", "pip", "install", "--quiet", "--no-index", copy.folder]
    subprocess.run(pip, check=True, timeout=MINUTES)
    assert "setting up" in copy.run(), "the environment had a copy of the package"
    moved = Checkout(copy.folder.rename(tmp_path / "c5"))
    assert "setting up" in moved.run()
    assert moved.run() == ""
    assert made.run() == "", "the original is left alone"


def test_a_package_that_is_added_by_hand_is_no_reason_to_set_up_again(made):
    packages = next((made.folder / ".venv/lib").glob("python3.*/site-packages"))
    (packages / "mine.py").write_text("")
    os.utime(packages)
    assert made.run() == ""


def test_two_calls_at_once_set_up_once_whatever_modules_lie_where_they_are_called(made, tmp_path):
    copy = copied(made, tmp_path / "c")
    for name in ("random", "venv", "pip", "zipfile", "typing", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("print('shadowed'); raise SystemExit(9)")
    said = [copy.ended(started) for started in [copy.start("hello"), copy.start("hello")]]
    assert sum("setting up" in one for one in said) == 1
    assert "shadowed" not in "".join(said)


def test_a_set_up_that_fails_says_so_and_is_repeated(made, tmp_path):
    copy = copied(made, tmp_path / "c")
    copy.write("backend.py", "raise RuntimeError('no wheel today')")
    failed = copy.start("hello")
    out, said = failed.communicate(timeout=MINUTES)
    assert (failed.returncode, out) == (1, "")
    assert "the set-up failed" in said
    copy.write("backend.py", BACKEND)
    assert "setting up" in copy.run()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
def test_another_account_is_told_whose_checkout_it_is_and_what_to_do(made):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the directories of pytest are closed to others
        copy = copied(made, Path(folder) / "c")
        shutil.rmtree(copy.folder / ".venv")
        called = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy.folder / "bin/chitty", "hello"]
        done = subprocess.run(called, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert f"{copy.folder} belongs to root" in line
    assert "run bin/chitty there as root, or make a checkout of your own" in line
