"""The server and the participants as real processes, without a launcher: their signals, ends, input and logs."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

import chitty
from chitty import journal, process, resources, settings
from chitty.settings import Program
from chitty.trace import check
from chitty.trace.verdict import Judgement
from tests.services import Peer, options
from tests.waiting import PATIENCE, eventually, eventually_async


def said(events: list[journal.Record]) -> list[journal.Record]:
    return [event for event in events if event.event == "send" and event.text("op") == "publish"]


class Processes:
    """Processes in a directory that is laid out as a stack's; ended by pid when the test is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("ready", "clients", "logs"):
            (folder / name).mkdir()
        self.configure()
        self.defaults = settings.read(resources.path("conf/chitty.yaml"))

    def configure(self, **changes: object) -> None:
        (self.folder / "server.json").write_text(settings.encode(options(**changes)))

    def server(self) -> str:
        self._start("server", "chitty.server", "server.json")
        return eventually(lambda: process.read_ready(self.folder / "ready/server").get("address"))

    def client(self, name: str, file: str = "", **changes: object) -> subprocess.Popen[bytes]:
        file = file or name
        plain = {"kind": "human", "run": "", "bot": self.defaults.bot, "keepalive": self.defaults.server.keepalive}
        program = Program(name=name, **{**plain, **changes})
        (self.folder / f"clients/{file}.json").write_text(settings.encode(program))
        return self._start(file, "chitty.client", f"clients/{file}.json")

    def joined(self, name: str) -> bool:
        return bool(self.ready(name).get("joined"))

    def ready(self, name: str) -> dict[str, object]:
        return process.read_ready(self.folder / "ready" / name)

    def log(self, name: str) -> str:
        return (self.folder / f"logs/{name}.log").read_text()

    def events(self, name: str) -> list[journal.Record]:
        records = [journal.parse(line) for line in self.log(name).splitlines()]
        return [record for record in records if record is not None and record.event]

    def say(self, name: str, data: bytes) -> None:
        self.started[name].stdin.write(data)
        self.started[name].stdin.flush()

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        if name in self.started:
            self.started[name].stdin.close()
        with (self.folder / f"logs/{name}.log").open("ab") as log:
            self.started[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.started[name]


@pytest.fixture
def processes(tmp_path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    for started in made.started.values():
        started.kill()
        started.wait()
        with contextlib.suppress(BrokenPipeError):
            started.stdin.close()


def test_a_human_says_what_its_input_says_verbatim_and_nothing_else(processes):
    processes.server()
    alice = processes.client("alice")
    eventually(lambda: processes.joined("alice"))
    processes.say("alice", '/who\n  spaces  \n"quotes" \\ and ünïcödé 😀\n'.encode())
    eventually(lambda: processes.log("alice").count(" ack ") == 3)
    sent = [event.fields["text"] for event in said(processes.events("alice"))]
    assert sent == ["/who", "  spaces  ", '"quotes" \\ and ünïcödé 😀']
    alice.terminate()
    assert alice.wait(PATIENCE) == 0
    assert [event.event for event in processes.events("alice")][-2:] == ["ack", "end"]
    assert processes.ready("alice")["left"] is True


def frozen_and_told_to_leave(processes):
    """Freeze the server, let alice speak and be stopped; return her process once she has asked to leave."""
    processes.server()
    alice = processes.client("alice")
    eventually(lambda: processes.joined("alice"))
    processes.started["server"].send_signal(signal.SIGSTOP)
    processes.say("alice", b"no receipt comes for this\n")
    eventually(lambda: "op=publish" in processes.log("alice"))
    alice.terminate()
    eventually(lambda: "op=leave" in processes.log("alice"))
    return alice


def test_one_that_leaves_a_service_that_does_not_answer_gives_up_and_says_so(processes):
    alice = frozen_and_told_to_leave(processes)
    alice.terminate()  # a second one does not hurry it
    assert alice.wait(PATIENCE) == 0
    assert processes.events("alice")[-1].fields["reason"] == "gave up leaving"
    assert processes.ready("alice")["left"] is False
    thaw(processes)


def test_a_service_that_answers_late_is_left_and_the_logs_are_valid(processes):
    alice = frozen_and_told_to_leave(processes)
    thaw(processes)
    assert alice.wait(PATIENCE) == 0
    ends = {"left", "left, but without its last receipts", "gave up leaving"}  # by what was quicker
    assert processes.events("alice")[-1].fields["reason"] in ends
    assert check.check(processes.folder).judgement is Judgement.VALID


def thaw(processes):
    """Let the server go on until it knows that alice has left, and end."""
    processes.started["server"].send_signal(signal.SIGCONT)
    eventually(lambda: "op=leave" in processes.log("server"))
    processes.started["server"].terminate()
    assert processes.started["server"].wait(PATIENCE) == 0
    assert check.check(processes.folder).judgement is Judgement.VALID


def test_a_line_that_cannot_be_said_is_told_and_the_next_one_is_said(processes):
    processes.server()
    processes.client("alice")
    eventually(lambda: processes.joined("alice"))
    processes.say("alice", b"\xff\xfe\n" + b"x" * 129 + b"\n" + b"y" * 5000 + b"\nfine\n")
    eventually(lambda: " ack " in processes.log("alice"))
    assert "not UTF-8 at byte 0" in processes.log("alice")
    assert "129 characters" in processes.log("alice")
    assert "5000 bytes" in processes.log("alice")
    assert [event.event for event in processes.events("alice")].count("refused") == 1


def test_one_that_is_killed_is_announced_as_lost_without_any_keepalive(processes):
    processes.configure(keepalive__interval=600.0)
    processes.server()
    alice = processes.client("alice")
    processes.client("bob")
    eventually(lambda: processes.joined("alice") and processes.joined("bob"))
    alice.send_signal(signal.SIGKILL)
    eventually(lambda: "reason=lost" in processes.log("bob"))
    (lost,) = [event for event in processes.events("server") if event.event == "detect"]
    assert (lost.fields["participant"], lost.fields["reason"]) == ("alice", "lost")


def test_one_that_is_refused_for_good_ends_once_with_a_clear_line(processes):
    processes.server()
    processes.client("alice")
    eventually(lambda: processes.joined("alice"))
    refused = processes.client("Alice", file="again")
    assert refused.wait(PATIENCE) == 1
    assert "name 'Alice' is taken" in processes.log("again")
    assert processes.ready("again")["status"] == "ALREADY_EXISTS"
    assert "Traceback" not in processes.log("again")


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("nowhere:bot", "cannot import 'nowhere'"),
        ("chitty.client.bot:nothing", "has no 'nothing'"),
        ("chitty.client.bot:load", "not a coroutine function"),
        ("nothing", "not of the form package.module:function"),
    ],
)
def test_a_bot_that_is_none_ends_with_a_clear_line(processes, run, says):
    client = processes.client("alice", kind="bot", run=run, server="127.0.0.1:1")
    assert client.wait(PATIENCE) == 1
    assert says in processes.log("alice")
    assert "Traceback" not in processes.log("alice")
    assert says in processes.ready("alice")["refused"]


def test_a_bot_that_crashes_leaves_its_traceback_and_no_end(processes):
    processes.server()
    (processes.folder / "mine.py").write_text(
        "async def bot(me):\n    print('deliver lamport=1 n=1 forged')\n    await me.publish('hello')\n    1 / 0\n"
    )
    client = processes.client("alice", kind="bot", run="mine:bot", path=[str(processes.folder)])
    assert client.wait(PATIENCE) == 1
    log = processes.log("alice")
    assert "ZeroDivisionError" in log
    assert "INFO alice - deliver lamport=1 n=1 forged" in log
    assert "end" not in [event.event for event in processes.events("alice")]
    assert all(journal.parse(line) for line in log.splitlines() if line), "every line has a head"


FORKING = """\
import os, sys
async def bot(me):
    child = os.fork()
    if not child:
        {act}
        return
    _, status = os.waitpid(child, 0)
    await me.publish(f"the child ended with {{os.waitstatus_to_exitcode(status)}}")
    await me.ended()
"""


@pytest.mark.parametrize(
    ("act", "status", "says"),
    [("1 / 0", 1, "ZeroDivisionError"), ("await me.publish('no')", 1, "Forked"), ("sys.exit(7)", 7, ""), ("", 0, "")],
    ids=["raises", "publishes", "exits", "returns"],
)
def test_a_forked_child_of_a_bot_ends_alone_and_reports_nothing(processes, act, status, says):
    processes.server()
    (processes.folder / "mine.py").write_text(FORKING.format(act=act))
    client = processes.client("alice", kind="bot", run="mine:bot", path=[str(processes.folder)])
    eventually(lambda: f"the child ended with {status}" in processes.log("server"))
    eventually(lambda: processes.events("alice")[-1].event in ("ack", "deliver"))
    assert says in processes.log("alice")
    assert processes.log("alice").count("Traceback") == (1 if says else 0)
    told = processes.ready("alice")
    assert (told["pid"], told["joined"]) == (client.pid, True)
    client.terminate()
    assert client.wait(PATIENCE) == 0
    assert processes.ready("alice")["left"]
    assert "reason=asked" in processes.log("server")


def test_a_name_that_is_not_composed_is_in_the_log_as_the_service_knows_it(processes):
    processes.server()
    alice = processes.client("A\u0301lice", "alice")
    eventually(lambda: processes.joined("alice"))
    alice.terminate()
    assert alice.wait(PATIENCE) == 0
    events = processes.events("alice")
    assert (events[0].event, events[-1].event) == ("start", "end")
    assert {event.process for event in events} == {"\u00c1lice"}


def test_a_bot_that_returns_leaves(processes):
    processes.server()
    (processes.folder / "mine.py").write_text("async def bot(me):\n    await me.publish('hello')\n")
    client = processes.client("alice", kind="bot", run="mine:bot", path=[str(processes.folder)])
    assert client.wait(PATIENCE) == 0
    assert "reason=asked" in processes.log("server")


def test_a_seed_makes_a_bot_say_the_same_again(processes):
    processes.server()
    plain = {"rate": 200.0, "seed": 7, "phrases": ["a", "b", "c", "d"], "run": "chitty.client.bot:chatter"}
    bot = settings.convert(plain, settings.Bot, "the test")
    for file in ("first", "second"):
        client = processes.client("alice", file, kind="bot", run="chitty.client.bot:chatter", bot=bot)
        eventually(lambda file=file: processes.log(file).count(" ack ") >= 30)
        client.terminate()
        client.wait(PATIENCE)
    first, second = ([event.fields["text"] for event in said(processes.events(file))] for file in ("first", "second"))
    assert first[:30] == second[:30]


async def test_sigterm_drains_100_streams_and_exits_well(processes):
    address = processes.server()
    crowd = [Peer(address) for _ in range(100)]
    streams = [peer.join(f"p{index}") for index, peer in enumerate(crowd)]
    await asyncio.gather(*(stream.read() for stream in streams))
    server = processes.started["server"]
    server.terminate()
    await eventually_async(lambda: server.poll() is not None)
    assert server.returncode == 0
    for stream in streams:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await exhaust(stream)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    for peer in crowd:
        await peer.channel.close()
    assert "Traceback" not in processes.log("server")
    assert processes.events("server")[-1].event == "end"
    assert processes.ready("server")["health"] == "NOT_SERVING"


async def test_a_participant_finds_a_server_that_comes_back_on_another_port(processes):
    first = processes.server()
    processes.client("alice")
    await eventually_async(lambda: processes.joined("alice"))
    processes.started["server"].kill()
    processes.started["server"].wait()
    await eventually_async(lambda: not processes.joined("alice"))
    (processes.folder / "ready/server").unlink()
    second = processes.server()
    await eventually_async(lambda: processes.joined("alice"))
    async with chitty.join("bob", second) as bob:
        assert await bob.participants() == ["alice", "bob"]
    assert processes.log("alice").count("op=join id=") == 2, f"{first} and {second} are two epochs"


def test_a_port_that_is_taken_is_told_and_the_server_ends(processes):
    address = processes.server()
    port = int(address.rpartition(":")[2])
    processes.configure(port=port)
    (processes.folder / "ready/server").unlink()
    running = processes.started["server"]
    second = processes._start("second", "chitty.server", "server.json")
    assert second.wait(PATIENCE) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in processes.ready("server")["failed"]
    assert "Traceback" not in processes.log("second")
    assert running.poll() is None


def test_a_life_begins_with_a_newline_of_its_own(processes):
    processes.server()
    assert processes.log("server").startswith("\n")


async def exhaust(stream):
    while await stream.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize("module", ["random", "click", "statistics", "json", "typing_extensions"])
def test_a_bot_may_have_the_name_of_any_module(processes, module):
    """Of one that is loaded, one that is not yet, and one that is a package: nobody else gets the bot instead."""
    processes.server()
    bots = processes.folder / "bots"
    bots.mkdir()
    (bots / "helper.py").write_text("TEXT = 'hello'\n")
    (bots / f"{module}.py").write_text(
        f"import {module} as installed, helper\n"
        "async def bot(me):\n"
        "    assert installed.__file__ != __file__\n"
        "    await me.publish(helper.TEXT)\n"
    )
    client = processes.client("alice", kind="bot", run=f"{module}:bot", path=[str(bots)])
    assert client.wait(PATIENCE) == 0, processes.log("alice")
    assert 'text="hello"' in processes.log("server")


def test_a_bot_may_be_in_a_package_that_has_the_name_of_another(processes):
    processes.server()
    bots = processes.folder / "bots"
    bots.mkdir()
    (bots / "json").mkdir()
    (bots / "json/__init__.py").write_text("")
    (bots / "json/words.py").write_text("TEXT = 'hello'\n")
    (bots / "json/talk.py").write_text("from .words import TEXT\nasync def bot(me):\n    await me.publish(TEXT)\n")
    client = processes.client("alice", kind="bot", run="json.talk:bot", path=[str(bots)])
    assert client.wait(PATIENCE) == 0, processes.log("alice")
    assert 'text="hello"' in processes.log("server")


def test_a_module_named_chitty_where_the_command_was_given_is_no_bot(processes):
    processes.server()
    bots = processes.folder / "bots"
    bots.mkdir()
    (bots / "chitty.py").write_text("async def bot(me):\n    pass\n")
    (bots / "random.py").write_text("raise ValueError('not for a bot of ours')\n")
    client = processes.client("alice", kind="bot", run="chitty.client.bot:chatter", path=[str(bots)])
    eventually(lambda: " ack " in processes.log("alice"))
    client.terminate()
    assert client.wait(PATIENCE) == 0
