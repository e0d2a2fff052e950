"""How commands end: whatever ends one that holds a stack, the stack ends, and nobody has to read what is printed."""

import contextlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chitty import process
from chitty.stack import control, leftovers
from chitty.stack.layout import Layout
from tests.integration.launching import Stack
from tests.waiting import PATIENCE, eventually

STUCK = """
import time

async def stuck(me):
    while True:
        time.sleep(1)  # the event loop does not run: SIGTERM is not heard
"""


@pytest.fixture
def stack(tmp_path) -> Iterator[Stack]:
    made = Stack(tmp_path / "stack")
    yield made
    made.end()


def follow(stack: Stack, *more: object) -> list[str]:
    return stack.command("up", "--port", 0, "--clients", 2, "-f", *more)


def joined(stack: Stack) -> list[int]:
    """Wait until both participants have joined, and return the pids of all processes of the stack."""

    def all_there() -> bool:
        with contextlib.suppress(KeyError):  # its ready file is about to be written
            return stack.layout.pidfile.exists() and stack.joined() == {"bob", "carol"}
        return False

    eventually(all_there)
    status = stack.status()
    return [stack.supervisor(), status["server"]["pid"], *(one["pid"] for one in status["participants"])]


def nothing_lives(stack: Stack, pids: list[int]) -> None:
    eventually(lambda: not [pid for pid in pids if process.alive(pid)])
    assert leftovers.supervisors(stack.layout) == []
    assert leftovers.find(stack.layout, None) == []


def shell(stack: Stack, command: str, *arguments: str, **options) -> subprocess.Popen[str]:
    """Start a bash command line in a session of its own; `"$@"` is the command under test."""
    return subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", command, "bash", *arguments],
        cwd=stack.cwd,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
        **options,
    )


class TestWhateverEndsTheFollowerEndsTheStack:
    @pytest.mark.parametrize("controlling", [True, False], ids=["with a hangup", "without one"])
    def test_a_closed_terminal(self, stack, controlling):
        if controlling:
            pid, terminal = pty.fork()
            if pid == 0:
                os.chdir(stack.cwd)
                os.execve(sys.executable, follow(stack), {**stack.environment, "TERM": "xterm"})
        else:
            terminal, side = pty.openpty()
            started = subprocess.Popen(
                follow(stack), cwd=stack.cwd, env=stack.environment, stdin=side, stdout=side, stderr=side
            )
            os.close(side)
            pid = started.pid
        reading = subprocess.Popen(["cat"], stdin=terminal, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pids = joined(stack)
        reading.kill()
        reading.wait()
        os.close(terminal)
        nothing_lives(stack, pids)
        if controlling:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
        else:
            assert started.wait(PATIENCE) == 0

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
    def test_a_signal(self, stack, number):
        with stack.start("up", "--port", 0, "--clients", 2, "-f", stdout=subprocess.DEVNULL) as following:
            pids = joined(stack)
            following.send_signal(number)
            _, said = following.communicate(timeout=PATIENCE)
        assert following.returncode == 130
        assert "stopping" in said
        nothing_lives(stack, pids)

    def test_control_c_that_ends_the_reader_too(self, stack):
        with shell(stack, '"$@" 2>&1 | tee out', *follow(stack), stdout=subprocess.DEVNULL) as line:
            pids = joined(stack)
            os.killpg(line.pid, signal.SIGINT)
            line.wait(PATIENCE)
        nothing_lives(stack, pids)

    def test_control_c_while_the_reader_does_not_read(self, stack):
        """A pager that shows its first page is such a reader."""
        (stack.cwd / "loud.yaml").write_text("bot: {rate: 50, phrases: ['" + "x" * 120 + "']}\n")
        command = follow(stack, "--config", "loud.yaml")
        reading, writing = os.pipe()
        with subprocess.Popen(
            command, cwd=stack.cwd, env=stack.environment, stdout=writing, stderr=subprocess.STDOUT
        ) as following:
            pids = joined(stack)
            eventually(lambda: not takes_more(writing))
            following.send_signal(signal.SIGINT)
            assert following.wait(PATIENCE) == 130
        os.close(reading)
        os.close(writing)
        nothing_lives(stack, pids)

    def test_a_reader_that_has_had_enough(self, stack):
        with shell(stack, '"$@" | head -3', *follow(stack), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as line:
            out, said = line.communicate(timeout=PATIENCE)
        assert len(out.splitlines()) == 3
        assert "nobody reads" in said
        assert line.returncode == 0
        nothing_lives(stack, [])

    def test_an_output_that_takes_nothing(self, stack):
        with Path("/dev/full").open("w") as full:
            following = stack.start("up", "--port", 0, "--clients", 2, "-f", stdout=full)
            _, said = following.communicate(timeout=PATIENCE)
        assert following.returncode == 1
        assert "chitty: cannot write to standard output: No space left on device" in said
        nothing_lives(stack, [])

    def test_an_output_and_notices_that_take_nothing(self, stack):
        with Path("/dev/full").open("w") as full:
            following = stack.start("up", "--port", 0, "--clients", 2, "-f", stdout=full, stderr=full)
            assert following.wait(PATIENCE) == 1
        nothing_lives(stack, [])

    def test_a_failure_of_the_printing_itself(self, stack):
        (stack.cwd / "sitecustomize.py").write_text(
            "import sys\n"
            "if 'up' in sys.orig_argv:\n"
            "    from chitty.stack import show\n"
            "    def render(self, line): raise RuntimeError('on purpose')\n"
            "    show.View.render = render\n"
        )
        stack.environment["PYTHONPATH"] = f"{stack.cwd}:{stack.environment['PYTHONPATH']}"
        following = stack.start("up", "--port", 0, "--clients", 2, "-f")
        _, said = following.communicate(timeout=PATIENCE)
        assert following.returncode == 1
        assert "RuntimeError: on purpose" in said
        nothing_lives(stack, [])

    def test_standard_streams_that_are_closed_are_no_reason_to_fail(self, stack):
        with shell(stack, '"$@" <&- >&- 2>&-', *follow(stack)) as line:
            pids = joined(stack)
            os.killpg(line.pid, signal.SIGTERM)
            line.wait(PATIENCE)
        nothing_lives(stack, pids)


def test_a_hangup_that_is_ignored_ends_nothing(stack):
    with shell(stack, 'exec nohup "$@" >out 2>&1', *follow(stack)) as following:
        pids = joined(stack)
        following.send_signal(signal.SIGHUP)
        stack.run("say", "bob", "still here")
        assert following.poll() is None
        following.send_signal(signal.SIGTERM)
        assert following.wait(PATIENCE) == 130
    nothing_lives(stack, pids)


def test_what_stops_a_stack_elsewhere_ends_the_follower_and_a_new_stack_is_not_its_own(stack):
    with stack.start("up", "--port", 0, "--clients", 2, "-f", stdout=subprocess.DEVNULL) as following:
        joined(stack)
        stack.run("down")
        stack.up("--clients", 2)
        assert following.wait(PATIENCE) == 0
    assert stack.joined() == {"bob", "carol"}


class TestAStackThatIsMoved:
    def told(self, following: subprocess.Popen[str], stack: Stack) -> list[int]:
        """Wait until a follower follows, and return the pids of all processes of its stack."""
        while "participants joined" not in (said := following.stderr.readline()):
            assert said, "it ended without a word"
        return joined(stack)

    def moved(self, stack: Stack) -> Stack:
        place = stack.layout.directory.with_name("moved")
        stack.layout.directory.rename(place)
        return Stack(place)

    def test_is_followed_and_stopped_and_another_at_its_old_path_is_not(self, stack):
        with stack.start("up", "--port", 0, "--clients", 2, "-f", stdout=subprocess.PIPE) as following:
            pids = self.told(following, stack)
            moved = self.moved(stack)
            stack.up("--clients", "zoe")
            moved.run("say", "bob", "from the new place")
            eventually(lambda: "from the new place" in following.stdout.readline(), PATIENCE)
            following.send_signal(signal.SIGTERM)
            out, said = following.communicate(timeout=PATIENCE)
        assert following.returncode == 130
        assert f"the stack was moved to {moved.layout.directory}: stopping it there" in said
        assert "zoe" not in out
        nothing_lives(moved, pids)
        assert moved.records("server")[-1].event == "end", "it was stopped, not killed"
        assert stack.joined() == {"zoe"}

    def test_is_killed_by_a_second_control_c_and_another_at_its_old_path_is_not(self, stack):
        (stack.cwd / "mine.py").write_text(STUCK)
        (stack.cwd / "stuck.yaml").write_text("bot: {run: 'mine:stuck'}\n")
        with stack.start(
            "up", "--port", 0, "--clients", 2, "--config", "stuck.yaml", "-f", stdout=subprocess.DEVNULL
        ) as following:
            pids = self.told(following, stack)
            moved = self.moved(stack)
            stack.up("--clients", "zoe")
            following.send_signal(signal.SIGINT)
            while "stopping it there" not in (said := following.stderr.readline()):
                assert said, "it ended without a word"
            following.send_signal(signal.SIGINT)
            assert following.wait(PATIENCE) == 130
        nothing_lives(moved, pids)
        assert stack.joined() == {"zoe"}

    def test_is_stopped_by_a_run_that_was_given_its_directory(self, stack):
        scenario = stack.cwd / "long.yaml"
        scenario.write_text("title: t\nsteps: [up: {clients: [bob, carol]}, wait: 1000]\n")
        command = [sys.executable, "-m", "chitty", "run", str(scenario), "-o", str(stack.layout.directory)]
        with subprocess.Popen(
            command, cwd=stack.cwd, env=stack.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as running:
            while "bob" not in (said := running.stderr.readline()):
                assert said, "it ended without a word"
            pids = joined(stack)
            moved = self.moved(stack)
            stack.up("--clients", "zoe")
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        assert f"the stack was moved to {moved.layout.directory}: stopping it there" in said
        nothing_lives(moved, pids)
        assert stack.joined() == {"zoe"}

    def test_and_interrupted_when_a_new_one_runs_where_it_was_stopped_leaves_that_alone(self, stack):
        with stack.start("up", "--port", 0, "--clients", 2, "-f", stdout=subprocess.DEVNULL) as following:
            self.told(following, stack)
            following.send_signal(signal.SIGSTOP)  # so that it does not see what happens meanwhile
            stack.run("down")
            stack.up("--clients", "zoe")
            following.send_signal(signal.SIGINT)
            following.send_signal(signal.SIGCONT)
            following.communicate(timeout=PATIENCE)
        assert stack.joined() == {"zoe"}


def test_one_that_is_refused_leaves_the_stack_that_runs_alone(stack):
    stack.up("--clients", 2)
    stack.run("up", "--port", 77, "-f", expect=5)
    assert stack.joined() == {"bob", "carol"}


def test_one_whose_server_fails_leaves_no_stack_behind(stack):
    (stack.cwd / "failing.yaml").write_text("server: {database: {path: /dev/full/x}}\n")
    stack.run("up", "--port", 0, "--config", "failing.yaml", "-f", expect=1)
    nothing_lives(stack, [])


class TestControlCAgain:
    """A participant that does not hear SIGTERM makes stopping last until supervisord kills it."""

    @pytest.fixture
    def stuck(self, stack) -> Stack:
        (stack.cwd / "mine.py").write_text(STUCK)
        (stack.cwd / "stuck.yaml").write_text("bot: {run: 'mine:stuck'}\n")
        return stack

    def test_the_follower_kills_what_does_not_stop_and_says_so(self, stuck):
        with stuck.start(
            "up", "--port", 0, "--clients", 2, "--config", "stuck.yaml", "-f", stdout=subprocess.DEVNULL
        ) as following:
            pids = joined(stuck)
            following.send_signal(signal.SIGINT)
            while "stopping" not in (said := following.stderr.readline()):
                assert said, "it ended without a word"
            following.send_signal(signal.SIGINT)
            _, said = following.communicate(timeout=PATIENCE)
        assert following.returncode == 130
        assert "killed" in said
        nothing_lives(stuck, pids)
        assert not any(record.event == "end" for record in stuck.records("server"))
        stuck.up("--clients", 1)

    def test_whoever_goes_on_with_control_c_is_told_the_same(self, stuck):
        with stuck.start(
            "up", "--port", 0, "--clients", 2, "--config", "stuck.yaml", "-f", stdout=subprocess.DEVNULL
        ) as following:
            pids = joined(stuck)

            def goes_on() -> bool:
                following.send_signal(signal.SIGINT)
                return following.poll() is not None

            eventually(goes_on, PATIENCE)
            _, said = following.communicate(timeout=PATIENCE)
        assert following.returncode == 130
        assert "interrupted again: killed" in said
        nothing_lives(stuck, pids)

    def test_a_down_that_is_interrupted_kills_what_does_not_stop_and_says_so(self, stuck):
        stuck.up("--clients", 2, "--config", "stuck.yaml")
        pids = joined(stuck)
        with stuck.start("down") as stopping:
            eventually(lambda: any(one["state"] == "STOPPING" for one in stuck.status()["participants"]))
            stopping.send_signal(signal.SIGINT)
            _, said = stopping.communicate(timeout=PATIENCE)
        assert stopping.returncode == 130
        assert "killed" in said
        nothing_lives(stuck, pids)

    def test_a_down_that_is_hung_up_on_finishes(self, stuck):
        stuck.up("--clients", 2, "--config", "stuck.yaml")
        pids = joined(stuck)
        with stuck.start("down") as stopping:
            eventually(lambda: any(one["state"] == "STOPPING" for one in stuck.status()["participants"]))
            stopping.send_signal(signal.SIGHUP)
            assert stopping.wait(PATIENCE) == 130
        nothing_lives(stuck, pids)
        assert stuck.records("server")[-1].event == "end", "it was stopped, not killed"


class TestARunOfItsOwn:
    """`run`, `demo` and `bench` have stacks of their own, in temporary directories."""

    @pytest.fixture
    def lab(self, stack) -> Stack:
        """Return commands in a folder, the temporary files of which are its own."""
        (stack.cwd / "tmp").mkdir()
        stack.environment["TMPDIR"] = str(stack.cwd / "tmp")
        stack.command = lambda *arguments: [sys.executable, "-m", "chitty", *map(str, arguments)]
        return stack

    def nothing_is_left(self, lab: Stack) -> None:
        def left() -> list[str]:
            return [place for place in places() if place.startswith(str(lab.cwd))]

        eventually(lambda: not left())
        assert list((lab.cwd / "tmp").iterdir()) == []

    def stuck(self, lab: Stack) -> str:
        (lab.cwd / "mine.py").write_text(STUCK)
        up = "up: {clients: 1, settings: {bot: {run: 'mine:stuck'}}}"
        (lab.cwd / "stuck.yaml").write_text(f"title: t\nsteps: [{up}, wait: 100]\n")
        return "stuck.yaml"

    def test_a_second_control_c_kills_it_and_says_so(self, lab):
        with lab.start("run", self.stuck(lab)) as running:
            eventually(lambda: list((lab.cwd / "tmp").glob("*/ready/bob")))
            (layout,) = map(Layout.of, (lab.cwd / "tmp").glob("chitty-run-*"))
            running.send_signal(signal.SIGINT)
            stuck = control.Stack(layout)
            eventually(lambda: any(one.state == "STOPPING" for one in stuck.members().participants))
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        assert "killed" in said
        self.nothing_is_left(lab)

    def test_notices_that_nobody_reads_keep_it_from_nothing(self, lab):
        (lab.cwd / "short.yaml").write_text("title: t\nsteps: [up: {clients: 1}, wait: 0.1, kill: bob]\n")
        for line in ('"$@" 2>&1 >/dev/null | true', '"$@" 2>/dev/full', '"$@" 2>&-'):
            with shell(lab, line, *lab.command("run", "short.yaml", "-o", "kept")) as running:
                assert running.wait(PATIENCE) == 0, line
            self.nothing_is_left(lab)
            (log,) = (lab.cwd / "kept" / "logs").glob("bob.log")
            assert " start " in log.read_text()
            shutil.rmtree(lab.cwd / "kept")

    @pytest.mark.parametrize("scenario", ["participants", "fanout"])
    def test_a_bench_that_is_interrupted_twice_leaves_nothing(self, lab, scenario):
        with lab.start("bench", "--quick", "--peer", "none", "--scenario", scenario) as running:
            eventually(lambda: any(place.startswith(str(lab.cwd / "tmp")) for place in places()))
            running.send_signal(signal.SIGINT)
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        self.nothing_is_left(lab)


@pytest.fixture(scope="module")
def logged(tmp_path_factory) -> Stack:
    """Return a stack that does not run, with more logs than a pipe holds."""
    made = Stack(tmp_path_factory.mktemp("logged") / "stack")
    made.layout.logs.mkdir(parents=True)
    line = "2026-11-23T03:11:50.{:06d}Z INFO bob - {}\n"
    made.layout.log("bob").write_text("".join(line.format(number, "x" * 100) for number in range(20_000)))
    return made


class TestAReaderThatGoesAwayIsNoFailure:
    @pytest.mark.parametrize(
        "command",
        ["logs", "logs -n 1", "logs --json", "logs -f", "--help", "config"],
    )
    @pytest.mark.parametrize("reader", ["head -1", "true"])
    def test_a_command_that_is_read_in_part_ends_with_0(self, logged, command, reader):
        arguments = logged.command("-q", *command.split())
        line = f'"$@" | {reader}'
        with shell(logged, line, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
            _, said = reading.communicate(timeout=PATIENCE)
        assert (reading.returncode, said) == (0, "")

    def test_what_a_command_found_is_told_by_its_exit_code_all_the_same(self, logged):
        for command, code in ((["status", "--json"], 3), (["check", "missing"], 3), (["doctor"], 0)):
            with shell(logged, '"$@" | true', *logged.command(*command), stderr=subprocess.DEVNULL) as line:
                assert line.wait(PATIENCE) == code, command

    def test_an_output_that_takes_nothing_is_a_failure_and_told_in_one_line(self, logged):
        for command in (["logs"], ["logs", "-n", "1"], ["--help"], ["config"]):
            with shell(logged, '"$@" > /dev/full', *logged.command("-q", *command), stderr=subprocess.PIPE) as line:
                _, said = line.communicate(timeout=PATIENCE)
            assert (line.returncode, said) == (
                1,
                "chitty: cannot write to standard output: No space left on device\n",
            ), command


def takes_more(descriptor: int) -> bool:
    """Tell whether a pipe has room."""
    return bool(select.select([], [descriptor], [], 0)[1])


def places() -> list[str]:
    """Return the directories in which processes work."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.alive(int(one.name)):
                found.append(str((one / "cwd").readlink()))
    return found
