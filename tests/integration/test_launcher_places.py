"""Directories of stacks that are copied, moved, restored and removed while they run, and whose they are."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from chitty import process
from chitty.stack import leftovers, locks
from tests.integration.launching import ROOT, Stack
from tests.waiting import PATIENCE, eventually

names = pytest.mark.parametrize("name", ["s", "d" * 120, "[x]"], ids=["short", "long", "pattern"])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Make stacks by name, and end them all."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    with contextlib.ExitStack() as ending:

        def make(name):
            made = Stack(tmp_path / name, cwd=tmp_path)
            ending.callback(made.end)
            return made

        yield make


def pids_of(stack):
    status = stack.status()
    return {stack.supervisor(), status["server"]["pid"], *(one["pid"] for one in status["participants"])}


def alive(pids):
    return {pid for pid in pids if process.alive(pid)}


def copy(source, target, *options):
    subprocess.run(["cp", "-a", *options, source, target], check=True)


def without(*capabilities):
    """Return what a command is put behind so that root is held to what the named capabilities exempt it from."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root is exempt from this, and there is no setpriv to change that")
    return ["setpriv", "--bounding-set", ",".join(f"-{one}" for one in capabilities)]


@names
def test_a_copy_of_a_running_stack_leaves_it_alone(place, name):
    stack, copied = place(name), place(f"{name}-copy")
    stack.up("--clients", "bob,carol")
    pids = pids_of(stack)
    copy(stack.layout.directory, copied.layout.directory)
    assert "no stack runs in" in copied.run("down")
    copied.run("status", expect=3)
    assert pids_of(stack) == alive(pids) == pids
    copied.up("--clients", "dave")
    assert copied.joined() == {"dave"}
    assert "stopped" in copied.run("down")
    assert pids_of(stack) == alive(pids) == pids
    stack.run("say", "bob", "still here")


@names
def test_a_moved_stack_runs_on_beside_a_new_one_at_its_old_path(place, name):
    stack, moved = place(name), place(f"{name}-moved")
    stack.up("--clients", "bob", "--config", _small_logs(stack))
    first = pids_of(stack)
    stack.layout.directory.rename(moved.layout.directory)
    assert pids_of(moved) == first
    stack.up("--clients", "dave")
    second = pids_of(stack)
    assert alive(first) == first
    moved.run("kill", "server")
    eventually(lambda: moved.status()["server"]["health"] == "SERVING")
    moved.run("say", "bob", "hello")
    for path in stack.layout.directory.rglob("*.log*"):
        assert "bob" not in path.read_text(), f"{path}: the old stack writes to the new one's files"
    assert "stopped" in moved.run("down")
    assert alive(first) == set()
    assert pids_of(stack) == second, "its socket and its pid file are still there"
    stack.run("say", "dave", "hello")


def _small_logs(stack):
    """Return settings by which each log is rotated again and again."""
    path = stack.cwd / "small.yaml"
    path.write_text("bot: {rate: 50}\nlogs: {max_bytes: 2000}\n")
    return path


@pytest.mark.parametrize("renew", [False, True], ids=["in place", "as new files"])
def test_a_backup_restored_over_a_running_stack_ends_nothing_but_what_works_there(place, tmp_path, renew):
    stack, other = place("s"), place("other")
    other.up("--clients", "eve")
    stack.up("--clients", "bob")
    copy(stack.layout.directory, tmp_path / "backup")
    # What the backup says of its processes is old, and one pid is by now that of another stack's participant.
    stranger = other.pid("eve")
    (tmp_path / "backup" / "ready" / "bob").write_text(
        f'{{"pid": {stranger}, "started": {process.started(stranger)}, "joined": true}}'
    )
    (tmp_path / "backup" / "supervisord.pid").write_text(f"{other.supervisor()}\n")
    first = pids_of(stack)
    copy(tmp_path / "backup" / ".", stack.layout.directory, *(["--remove-destination"] if renew else ["--force"]))
    stack.up("--clients", "bob")
    assert "stopped" in stack.run("down")
    assert alive(first) == set()
    assert other.joined() == {"eve"}
    assert alive(pids_of(other)) == pids_of(other)


def test_a_copy_made_of_hard_links_is_told_from_the_stack_that_runs(place):
    stack, linked = place("s"), place("linked")
    stack.up("--clients", "bob")
    copy(stack.layout.directory, linked.layout.directory, "--link")
    assert locks.is_held(linked.layout.life_lock), "it is the same lock"
    linked.run("status", expect=3)
    linked.run("join", "eve", expect=3)
    assert "is a hard link to the lock of another stack" in linked.up(expect=1)
    assert "no stack runs in" in linked.run("down")
    assert stack.joined() == {"bob"}


def test_a_link_to_the_directory_is_the_same_stack(place, tmp_path):
    stack = place("s")
    stack.up("--clients", "bob")
    (tmp_path / "link").symlink_to(stack.layout.directory)
    linked = place("link")
    assert linked.joined() == {"bob"}
    assert "stopped" in linked.run("down")
    stack.run("status", expect=3)


def test_a_stack_below_a_renamed_directory_is_still_found(place, tmp_path):
    (tmp_path / "below").mkdir()
    stack, renamed = place("below/s"), place("renamed/s")
    stack.up("--clients", "bob")
    pids = pids_of(stack)
    (tmp_path / "below").rename(tmp_path / "renamed")
    renamed.run("join", "eve")
    assert renamed.joined() == {"bob", "eve"}
    assert "stopped" in renamed.run("down")
    assert alive(pids) == set()


@names
def test_a_stack_whose_directory_is_removed_ends_by_itself(place, name):
    stack = place(name)
    stack.up("--clients", "bob,carol")
    pids = pids_of(stack)
    shutil.rmtree(stack.layout.directory)
    eventually(lambda: alive(pids) == set())
    assert "no stack in" in stack.run("doctor")


@pytest.mark.parametrize("paused", ["server", "bob"])
def test_what_is_paused_in_a_removed_directory_is_woken_so_that_it_can_end(place, paused):
    stack = place("s")
    stack.up("--clients", "bob")
    pids = pids_of(stack)
    descriptor = os.open(stack.layout.log(paused), os.O_RDONLY)
    stack.run("pause", paused)
    shutil.rmtree(stack.layout.directory)
    eventually(lambda: alive(pids) == set())
    with os.fdopen(descriptor) as log:
        assert " end " in log.read(), "it ended by itself, and was not killed"


def test_what_lives_on_of_a_removed_directory_is_found_at_the_same_path(place):
    stack = place("s")
    stack.up("--clients", "bob")
    pids = pids_of(stack)
    os.kill(stack.supervisor(), signal.SIGSTOP)  # it cannot end by itself
    supervisor = stack.supervisor()
    shutil.rmtree(stack.layout.directory)
    stack.layout.directory.mkdir()
    assert f"supervisord (pid {supervisor}) holds the stack but does not answer" in stack.run("doctor", expect=1)
    stack.up("--clients", "dave")
    assert alive(pids) == set()
    assert stack.joined() == {"dave"}
    stack.run("doctor")


def test_a_supervisord_whose_files_were_removed_is_ended_before_a_new_one_starts(place):
    stack = place("s")
    stack.up("--clients", "bob")
    pids = pids_of(stack)
    for path in stack.layout.directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    stack.up("--clients", "dave")
    assert alive(pids) == set()
    assert stack.joined() == {"dave"}


@pytest.mark.parametrize("words", [["logs/supervisord.log"], ["-c", "supervisord"], ["supervisord.conf"]])
def test_what_a_person_runs_in_the_directory_is_not_taken_for_its_supervisord(place, words):
    stack = place("s")
    stack.up("--clients", 0)
    program = [sys.executable, "-c", "import time; open('stack.lock'); time.sleep(600)", *words]
    with subprocess.Popen(program, cwd=stack.layout.directory) as person:
        assert leftovers.supervisors(stack.layout) == [stack.supervisor()]
        stack.run("down")
        assert process.alive(person.pid)
        person.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another account")
@pytest.mark.parametrize(
    "command",
    [
        ("up", "--port", 0),
        ("join", "eve"),
        ("leave", "bob"),
        ("scale", 3),
        ("say", "bob", "hello"),
        ("attach", "bob"),
        ("kill", "bob"),
        ("pause", "bob"),
        ("restart", "bob"),
        ("down",),
        ("down", "--purge"),
    ],
    ids=lambda command: " ".join(map(str, command)),
)
def test_a_command_that_changes_another_accounts_stack_is_refused_before_it_writes(theirs, command):
    before = _tree(theirs.layout.directory)
    said = theirs.call(*command, stdin="hello\n" if command[0] == "attach" else "")
    assert said.returncode == 1
    assert "belongs to another account" in said.stderr
    assert _tree(theirs.layout.directory) == before
    assert theirs.joined() == {"bob"}, "looking is allowed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another account")
def test_a_command_that_only_looks_may_look_at_another_accounts_stack(theirs):
    before = _tree(theirs.layout.directory)
    for command in (("status",), ("logs", "-n", 1), ("check",), ("config",)):
        theirs.run(*command)
    assert "belongs to another account" in theirs.run("doctor", expect=1)
    assert _tree(theirs.layout.directory) == before


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A stack that runs in a directory of another account."""
    made = Stack(tmp_path_factory.mktemp("theirs") / "s")
    made.up("--clients", 0, "--human", "bob")
    for path in [made.layout.directory, *made.layout.directory.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    yield made
    os.chown(made.layout.directory, 0, 0)
    made.end()


def _tree(directory):
    """Return what a command would leave: the server's own files come and go meanwhile."""
    own = [directory, directory / "programs", directory / "clients", directory / "locks"]
    return {path for folder in own for path in folder.iterdir() if not path.name.startswith("chitty.db")}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave files of another account")
def test_the_doctor_names_files_of_another_account(place):
    stack = place("s")
    stack.up("--clients", 0, "--human", "bob")
    os.chown(stack.layout.program("bob"), 65534, 65534)
    said = stack.run("doctor", expect=1)
    assert "files of another account are in the stack: programs/bob.conf;" in said
    assert "sudo chown -R" in said


@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
def test_in_a_directory_of_a_long_path_nothing_runs_until_it_is_started(place, made):
    stack = place("d" * 120)
    if made:
        stack.layout.directory.mkdir(mode=0o700)
    for command in (("status",), ("say", "bob", "x"), ("join", "bob"), ("leave", "bob"), ("kill", "bob")):
        said = stack.run(*command, expect=3)
        assert "None" not in said
    assert "no stack runs in" in stack.run("down")
    assert "None" not in stack.run("doctor")


@pytest.mark.parametrize(("option", "number", "what"), [("-n", 256, "open files"), ("-u", 100, "processes")])
def test_a_limit_that_is_too_low_is_told_with_what_is_needed(place, option, number, what):
    stack = place("s")
    limited = without("sys_resource")
    script = f'ulimit {option} {number} && exec "$@"'
    done = subprocess.run(
        [*limited, "bash", "-c", script, "bash", *stack.command("up", "--port", 0)],
        cwd=stack.cwd,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert f"at most {number} {what} are allowed, and supervisord needs" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (stack.layout.directory / "programs" / "server.conf").exists()


@pytest.fixture(params=["removed", "closed"])
def nowhere(request, tmp_path):
    """A way to call a program in a current directory that was removed, or that may not be entered."""
    directory = tmp_path / "nowhere"
    change = {"removed": f"rmdir {directory}", "closed": f"chmod 000 {directory}"}[request.param]

    def call(*command):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("CHITTY_DIR", None)
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)
        script = f'cd {directory} && {change} && exec "$@"'
        return subprocess.run(
            [*without("dac_override", "dac_read_search"), "sh", "-c", script, "sh", sys.executable, "-P", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    yield call
    if directory.exists():
        directory.chmod(0o700)


@pytest.mark.parametrize(
    "command",
    ["up", "down", "status", "logs", "say bob x", "check", "diagram", "config", "doctor", "run crash", "certs x"],
)
def test_a_command_in_a_current_directory_that_leads_nowhere_says_so(nowhere, command):
    done = nowhere("-m", "chitty", *command.split())
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "current directory" in line
    assert "change to another one" in line


def test_a_stack_with_an_absolute_path_is_used_from_anywhere(nowhere, place):
    stack = place("s")
    for command in (["up", "--port", "0", "--clients", "1"], ["join", "eve"], ["status"], ["down"]):
        done = nowhere("-m", "chitty", "-C", str(stack.layout.directory), *command)
        assert done.returncode == 0, done.stderr


def test_a_server_in_a_current_directory_that_leads_nowhere_says_so(nowhere):
    done = nowhere("-m", "chitty.server")
    assert done.returncode == 1
    assert "cannot make chitty.db.lock in" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_participant_in_a_current_directory_that_leads_nowhere_runs_without_a_ready_file(nowhere, place):
    stack = place("s")
    stack.up("--clients", 0, "--human", "bob")
    told = json.loads(stack.layout.client("bob").read_text())
    program = stack.cwd / "eve.json"
    program.write_text(json.dumps({**told, "name": "eve", "kind": "bot", "run": "no:bot"}))
    done = nowhere("-m", "chitty.client", str(program))
    assert done.returncode == 1
    assert "no:bot" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_completion_in_a_current_directory_that_leads_nowhere_offers_nothing(nowhere):
    done = nowhere("-c", "from chitty.stack import completion; print(completion.running('.chitty', ''))")
    assert done.stdout == "[]\n"
    assert done.stderr == ""
