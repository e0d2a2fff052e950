"""Participants come, speak and go while a stack runs: join, leave, scale, say, attach, chat."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import termios
from concurrent.futures import ThreadPoolExecutor

import pytest
from wcwidth import wcswidth

from chitty import journal, process, settings
from chitty.settings import Program
from chitty.stack import control, say
from tests.integration.launching import Stack
from tests.waiting import PATIENCE, eventually

QUIET = "bot: {rate: 0.01}\n"  # bots that hardly ever speak leave the machine to the tests


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "quiet.yaml").write_text(QUIET)
    stack = Stack(folder / "stack")
    try:
        stack.up("--clients", "bob,carol", "--human", "zoe", "--config", "quiet.yaml")
        yield stack
    finally:
        stack.end()


@pytest.fixture
def running(shared):
    """Return the shared stack with bob, carol and zoe in it, and nobody else."""
    yield shared
    for one in shared.status()["participants"]:
        if one["name"] not in {"bob", "carol", "zoe"} and one["reason"] != "left":
            shared.call("leave", one["name"])
    for name in {"bob", "carol"} - shared.joined():
        shared.call("join", name)
    if "zoe" not in shared.joined():
        shared.call("join", "zoe", "--human")


def test_the_status_tells_who_is_there(running):
    status = json.loads(running.call("status", "--json").stdout)
    server = status["server"]
    assert (server["state"], server["health"]) in {("RUNNING", "SERVING"), ("STARTING", "SERVING")}
    assert server["pid"] == running.pid("server")
    assert server["address"].startswith("127.0.0.1:")
    by_name = {one["name"]: one for one in status["participants"]}
    assert {name: by_name[name]["kind"] for name in ("bob", "zoe")} == {"bob": "bot", "zoe": "human"}
    for one in by_name.values():
        if one["joined"]:
            assert set(one) == {"name", "kind", "state", "pid", "joined", "lamport", "reason"}
            assert (one["pid"], one["reason"]) == (running.pid(one["name"]), "")
            assert one["lamport"] >= 1
    table = running.run("ps")
    assert "NAME" in table
    assert server["address"] in table


def test_one_joins_and_leaves_and_both_are_broadcast_when_the_command_returns(running):
    assert "alice joined" in running.run("join", "alice")
    assert "Participant alice joined" in running.layout.log("server").read_text()
    eventually(lambda: "Participant alice joined" in running.layout.log("bob").read_text())
    assert running.of("alice")["joined"] is True
    assert "alice left" in running.run("leave", "alice")
    assert "Participant alice left" in running.layout.log("server").read_text()
    eventually(lambda: "Participant alice left" in running.layout.log("bob").read_text())
    gone = running.of("alice")
    assert (gone["joined"], gone["reason"], gone["pid"]) == (False, "left", None)
    assert "alice has left" in running.run("leave", "alice", expect=4)
    assert not running.layout.client("alice").exists()
    assert running.layout.log("alice").exists()
    running.run("join", "alice")


def test_who_is_here_already_stays_and_cannot_become_another(running):
    pid = running.pid("bob")
    assert "is here already" in running.run("join", "BOB")
    assert running.pid("bob") == pid
    assert "as a bot" not in running.run("join", "bob", "--human", expect=5)
    assert "as a human" in running.run("join", "zoe", expect=5)
    assert "the bot" in running.run("join", "bob", "--bot", "other:bot", expect=5)
    assert running.pid("bob") == pid


def test_names_of_any_script_are_participants(running):
    running.run("join", "Ünï", "a.b", "--human")
    assert {"Ünï", "a.b"} <= running.joined()
    assert "said" in running.run("say", "ÜNÏ", "hé")
    running.run("leave", "U\u0308ni\u0308")  # not composed, as some keyboards write it
    assert "Ünï" not in running.joined()


def test_an_unknown_name_is_told(running):
    for command in (
        ["leave", "x"],
        ["say", "x", "hi"],
        ["kill", "x"],
        ["pause", "x"],
        ["restart", "x"],
        ["attach", "x"],
    ):
        assert "no participant is called 'x'" in running.run(*command, expect=4)
    assert "there is no log of 'x'" in running.run("logs", "x", expect=4)


def test_if_one_of_those_named_is_unknown_nobody_leaves(running):
    running.run("leave", "bob", "nobody", expect=4)
    assert "bob" in running.joined()


@pytest.mark.parametrize(
    "text", ["hello", "  a  b\t", '"quoted" \\n', "x" * 128, "😀" * 128, "-n --help", "\uffff", "%s $x"]
)
def test_what_is_said_is_said_verbatim_and_has_a_receipt(running, text):
    said = running.run("say", "zoe", "--", text)
    assert said.startswith("said at Lamport time ")
    (own,) = [r for r in running.records("zoe")[-4:] if r.event == "send" and r.text("op") == "publish"]
    assert own.text("text") == text
    assert eventually(lambda: any(record.text("text") == text for record in running.records("bob")[-9:]))


def test_what_is_too_long_is_refused_by_the_service(running):
    refused = running.run("say", "zoe", "x" * 129, expect=1)
    assert "refused: the message has 129 characters" in refused
    assert "refused: the message has 5000 bytes" in running.run("say", "zoe", "x" * 5000, expect=1)
    assert "refused: the message is empty" in running.run("say", "zoe", "", expect=1)


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2J", "bell\x07", "x" * 65_536])
def test_what_is_no_line_is_a_usage_error(running, text):
    before = len(running.records("zoe"))
    assert "chitty: the text has" in running.run("say", "zoe", text, expect=2)
    assert not any(record.event == "send" for record in running.records("zoe")[before:])


@pytest.mark.parametrize(
    ("text", "turn"), [("earlier", "9999-12-31T23:59:59.999999Z"), ("own", "2026-01-01T00:00:00.000000Z")]
)
def test_the_refusal_of_an_earlier_line_is_not_taken_for_ones_own(running, monkeypatch, text, turn):
    """A line is given up after twice as long as `say` waits, so a later `say` sees its refusal in the log."""
    send = say.send

    def send_late(stack, member, line):
        with stack.layout.log(member.slug).open("a") as log:
            log.write(f"{turn} WARNING zoe - {journal.not_said(text, turn)}given up\n")
        send(stack, member, line)

    monkeypatch.setattr(say, "send", send_late)
    assert say.say(control.Stack(running.layout), "zoe", "own", PATIENCE).lamport > 0


def test_says_of_several_commands_at_once_each_have_their_own_receipt(running):
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: running.run("say", "zoe", "the same"), range(6)))
    assert len(set(said)) == 6


def test_who_speaks_gets_the_receipt_although_the_log_was_renamed(running):
    log = running.layout.log("zoe")
    log.rename(log.with_name("zoe.log.1"))
    assert "said at Lamport time" in running.run("say", "zoe", "into the renamed log")
    assert "zoe: from a pipe" in running.run("attach", "zoe", stdin="from a pipe\n")
    assert running.of("zoe")["lamport"] > 1
    assert "into the renamed log" in running.run("logs", "zoe", "-n", 9)


def test_the_status_keeps_its_columns_straight_under_wide_names(running):
    running.run("join", "日本語", "--human")
    head, *rows = [row for row in running.run("status").splitlines() if not row.startswith("left:")]
    for row in rows:
        name, _, rest = row.partition(" ")
        assert wcswidth(name) + 1 + len(rest) - len(rest.lstrip()) == head.index("KIND")


def test_a_pipe_can_sit_down_at_a_participant(running):
    out = running.run("attach", "zoe", stdin="one\ntwo\n")
    assert out.index("zoe: one") < out.index("zoe: two")
    assert "refused: the message has 129 characters" in running.run("attach", "zoe", stdin="x" * 129 + "\n")


class Terminal:
    """A command at a terminal."""

    def __init__(self, stack, *arguments):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(stack.cwd)
            command = stack.command(*arguments)
            os.execve(command[0], command, {**stack.environment, "TERM": "xterm"})
        self.seen = ""

    def type(self, data):
        os.write(self.terminal, data)

    def look(self):
        """Read what there is, answering when asked where the cursor is."""
        with contextlib.suppress(OSError):
            while select.select([self.terminal], [], [], 0.01)[0]:
                data = os.read(self.terminal, 65536)
                if b"\x1b[6n" in data:
                    os.write(self.terminal, b"\x1b[1;1R")
                self.seen += data.decode("utf-8", "replace")
        return self.seen

    def ended(self):
        self.look()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return (os.waitstatus_to_exitcode(status),) if pid else None

    def close(self):
        if process.alive(self.pid):
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)


def test_a_pipe_is_said_to_its_end_though_nobody_reads(running):
    line = ["bash", "-o", "pipefail", "-c", "printf 'first\\nsecond\\nthird\\n' | \"$@\" | true", "bash"]
    command = [*line, *running.command("attach", "zoe")]
    subprocess.run(command, cwd=running.cwd, env=running.environment, check=True, timeout=PATIENCE)
    said = [one.text("text") for one in running.records("server") if one.text("participant") == "zoe"]
    assert [text for text in said if text in {"first", "second", "third"}] == ["first", "second", "third"]


def test_a_person_can_sit_down_at_a_participant_and_let_go(running):
    running.run("say", "zoe", "before")
    with contextlib.closing(Terminal(running, "attach", "zoe")) as terminal:
        eventually(lambda: "zoe: before" in terminal.look() and "zoe>" in terminal.look())
        terminal.type(b"typed at once\r")
        eventually(lambda: "zoe: typed at once" in terminal.look())
        terminal.type(b"x" * 129 + b"\r")
        eventually(lambda: "refused" in terminal.look())
        terminal.type(b"\x1d")
        assert eventually(terminal.ended) == (0,)
    assert "zoe" in running.joined(), "letting go makes nobody leave"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_lets_go_and_leaves_the_terminal_as_it_was(running, number):
    with contextlib.closing(Terminal(running, "attach", "zoe")) as terminal:
        eventually(lambda: "zoe>" in terminal.look())
        os.kill(terminal.pid, number)
        assert eventually(terminal.ended) == (0,)
        assert termios.tcgetattr(terminal.terminal)[3] & termios.ICANON
    assert "zoe" in running.joined()


def test_a_closed_terminal_lets_go(running):
    terminal = Terminal(running, "attach", "zoe")
    eventually(lambda: "zoe>" in terminal.look())
    os.close(terminal.terminal)
    eventually(lambda: not process.alive(terminal.pid))
    os.waitpid(terminal.pid, 0)


def test_sitting_ends_with_its_participant(running):
    running.run("join", "guest", "--human")
    with contextlib.closing(Terminal(running, "attach", "guest")) as terminal:
        eventually(lambda: "guest>" in terminal.look())
        running.run("kill", "guest")
        assert eventually(terminal.ended) == (0,)
        assert "guest has ended" in terminal.seen


def test_chat_joins_the_running_stack_without_supervision(running):
    out = running.run("chat", "mia", "--log", running.cwd / "mia.log", stdin="from a pipe\n")
    assert "mia: from a pipe" in out
    assert " end lamport=" in (running.cwd / "mia.log").read_text()
    assert "mia" not in {one["name"] for one in running.status()["participants"]}
    assert "is taken" in running.run("chat", "bob", "--log", running.cwd / "bob.log", expect=1)


def test_a_chat_beside_the_stacks_own_server_logs_into_its_logs(running):
    out = running.run("chat", "Nia", stdin="from a pipe\n")
    assert "Nia: from a pipe" in out
    assert not (running.cwd / "Nia.log").exists()
    assert running.records("Nia")[-1].event == "end"
    assert "Nia: from a pipe" in running.run("logs", "Nia")
    assert "says: from a pipe" in running.run("logs")
    checked = json.loads(running.call("check", "--json").stdout)
    assert checked["verdict"] == "valid"
    assert ">Nia<" in running.run("diagram", "-o", "-")


def test_a_log_of_the_stack_has_one_writer(running):
    with running.start("chat", "guest2", stdin=subprocess.PIPE) as guest:
        eventually(lambda: "Participant guest2 joined" in running.layout.log("bob").read_text())
        assert "guest2 is here already, by `chitty chat`" in running.run("join", "guest2", expect=5)
        assert "guest2 is here already, by `chitty chat`" in running.up("--clients", "guest2", expect=5)
        assert "taken by another `chitty chat`" in running.run("chat", "guest2", expect=1)
        guest.communicate("", timeout=PATIENCE)
    log = running.layout.log("bob").read_bytes()
    assert "name 'bob' is taken: `chitty attach bob` speaks" in running.run("chat", "bob", expect=1)
    assert running.layout.log("bob").read_bytes().startswith(log)
    assert " start " not in running.layout.log("bob").read_text()[len(log) :]
    assert "guest2 joined" in running.run("join", "guest2")
    assert [record.event for record in running.records("guest2")].count("start") == 2


def test_a_guests_log_has_one_writer_whatever_the_case_of_its_name(running):
    running.run("join", "guest3", "--human")
    running.run("kill", "guest3")
    eventually(lambda: running.of("guest3")["pid"] is None)
    with running.start("chat", "guest3", stdin=subprocess.PIPE) as guest:
        eventually(lambda: running.layout.log("bob").read_text().count("Participant guest3 joined") == 2)
        for command in (("restart", "GUEST3"), ("join", "Guest3", "--human")):
            assert "by `chitty chat`" in running.run(*command, expect=5)
        assert "by `chitty chat`" in running.up("--clients", "bob,GUEST3", expect=5)
        assert "taken by another `chitty chat`" in running.run("chat", "GUEST3", expect=1)
        guest.communicate("", timeout=PATIENCE)
    assert "guest3" not in running.joined()


def test_one_whose_name_a_stranger_has_is_refused_run_once_and_told_why(running):
    stranger = running.start("chat", "ghost", "--log", running.cwd / "ghost.log", stdin=subprocess.PIPE)
    with stranger:
        eventually(lambda: "Participant ghost joined" in running.layout.log("bob").read_text())
        assert "ghost was refused: name 'ghost' is taken" in running.run("join", "ghost", expect=1)
        refused = running.of("ghost")
        assert refused["state"] == "EXITED"
        assert refused["reason"].startswith("refused: name 'ghost' is taken")
        assert running.layout.log("ghost").read_text().count(" start ") == 1
        stranger.communicate("", timeout=PATIENCE)
    assert "ghost joined" in running.run("join", "ghost")


def test_a_bot_of_ones_own_is_found_where_the_command_was_given(running):
    (running.cwd / "mine.py").write_text(
        "async def greet(me):\n    await me.publish('my own')\n\n"
        "async def crash(me):\n    raise ValueError('on purpose')\n"
    )
    assert "own joined" in running.run("join", "own", "--bot", "mine:greet")  # and may have left before anybody looks
    eventually(lambda: running.of("own")["state"] == "EXITED")
    assert running.of("own")["reason"] == "left"
    eventually(lambda: "own: my own" in running.run("logs", "bob"))
    running.call("join", "bad", "--bot", "mine:crash")  # it may have joined and crashed before anybody looks
    eventually(lambda: running.of("bad")["state"] == "EXITED")
    assert running.of("bad")["reason"] == "crashed (exit status 1)"
    assert "had ended before" in running.run("leave", "bad", "own")
    assert running.of("bad") == {}


def test_a_bot_that_is_none_is_told_and_can_be_mended(running):
    assert "cannot import 'nowhere'" in running.run("join", "eve", "--bot", "nowhere:bot", expect=1)
    assert "cannot import 'nowhere'" in running.of("eve")["reason"]
    assert "eve joined" in running.run("join", "eve")


def test_scale_lets_new_ones_join_and_the_newest_bots_go_but_never_humans(running):
    assert len(running.joined()) == 3
    running.run("scale", 5)
    assert running.joined() == {"bob", "carol", "zoe", "dave", "erin"}
    running.run("scale", 4)
    assert running.joined() == {"bob", "carol", "zoe", "dave"}, "the newest went"
    assert "humans are not made to leave" in running.run("scale", 0, expect=1)
    assert running.joined() == {"zoe"}


def test_all_can_leave_and_come_again(running):
    running.run("leave", "--all")
    assert running.joined() == set()
    running.run("join", "bob", "carol")
    assert running.joined() == {"bob", "carol"}


def test_many_commands_at_once_do_not_hurt_each_other(running):
    commands = [("join", f"n{number}") for number in range(4)] + [("join", "n0"), ("say", "zoe", "hi"), ("status",)]
    with ThreadPoolExecutor(len(commands)) as pool:
        assert {done.returncode for done in pool.map(lambda one: running.call(*one), commands)} == {0}
    assert {f"n{number}" for number in range(4)} <= running.joined()
    with ThreadPoolExecutor(4) as pool:
        codes = [
            done.returncode for done in pool.map(lambda name: running.call("leave", name), ["n0", "n0", "n1", "n2"])
        ]
    assert sorted(codes) == [0, 0, 0, 4]


def test_what_a_participant_is_told_stands_in_json_and_its_ini_file_has_only_a_plain_name(running):
    running.run("join", "Ünï.x", "--human")
    (path,) = [path for path in running.layout.clients.glob("p-*.json") if "nï.x" in path.read_text()]
    told = settings.decode(path.read_bytes(), Program, "test")
    assert (told.name, told.kind) == ("Ünï.x", "human")
    assert running.layout.program(path.stem).read_text().isascii()


def test_a_name_can_be_completed_while_its_process_lives(running):
    environment = {**running.environment, "_CHITTY_COMPLETE": "bash_complete", "COMP_CWORD": "4"}
    words = f"chitty -C {running.layout.directory} say z"

    def complete(line):
        done = subprocess.run(
            running.command()[:3], env={**environment, "COMP_WORDS": line}, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert complete(words) == ["plain,zoe"]
    assert complete(words.replace("say z", "kill s")) == ["plain,server"]


def test_controlling_loads_nothing_heavy(running):
    program = (
        "import sys; from chitty import cli; code = cli.run(sys.argv[1:]);"
        "print(code, [name for name in ('grpc', 'yaml', 'rich', 'prompt_toolkit', 'asyncio') if name in sys.modules])"
    )
    for command in (
        ["status"],
        ["say", "zoe", "hi"],
        ["pause", "bob"],
        ["unpause", "bob"],
        ["kill", "bob", "-s", "CONT"],
    ):
        arguments = [running.command()[0], "-c", program, "-C", str(running.layout.directory), *command]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=running.cwd)
        assert done.stdout.splitlines()[-1] == "0 []", command


def test_what_happened_and_what_was_asked_is_noted_in_order(running):
    running.run("join", "guest")
    running.run("kill", "guest")
    events = [json.loads(line) for line in running.layout.events.read_text().splitlines()]
    own = [event for event in events if event["program"] == "guest"]
    happened = [event.get("intent") or event.get("signal") or event["state"] for event in own]
    after = [what for what in happened[happened.index("kill") :] if what != "RUNNING"]  # a second after its start
    assert after[:2] == ["kill", "SIGKILL"]
    assert all({"wall", "program"} <= event.keys() for event in own)
