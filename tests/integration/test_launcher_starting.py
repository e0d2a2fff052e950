"""Participants forked by supervisord and participants exec'ed: nobody can tell them apart by what they do."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chitty import process
from chitty.stack import leftovers
from tests.integration.launching import Stack
from tests.waiting import PATIENCE, eventually

KINDS = {stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK}

BOTS = '''\
import asyncio, atexit, ctypes, gc, json, logging, os, random, signal, sys, threading, time
from pathlib import Path

IMPORTED_BY = os.getpid()


def itself():
    """Return what a program can find out about its own process, but for what names it."""
    kinds = {number: os.readlink(f"/proc/self/fd/{number}").partition(":")[0] for number in (0, 1, 2)}
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "arguments": sys.argv[1:],
        "program": Path(sys.argv[0]).parts[-3:],
        "main": Path(sys.modules["__main__"].__file__).parts[-3:],
        "environment": {key: value for key, value in os.environ.items() if key != "CHITTY_START"},
        "seen by a child": os.popen("echo $SUPERVISOR_PROCESS_NAME $PYTHONUTF8 $SUPERVISOR_GROUP_NAME").read(),
        "path": sys.path,
        "folder": os.getcwd(),
        "umask": os.umask(0o077),
        "group": os.getpgrp() - os.getpid(),
        "standard": kinds,
        "streams": [sys.stdin.fileno(), sys.stdout.encoding, sys.stderr.errors],
        "input": [sys.stdin.encoding, sys.stdin.mode],
        "writes bytecode": not sys.dont_write_bytecode,
        "signals": {key: status[key].strip() for key in ("SigBlk", "SigIgn")},
        "handled": [number for number in signal.valid_signals() if callable(signal.getsignal(number))],
        "main thread": threading.current_thread() is threading.main_thread(),
        "collects": gc.isenabled(),
        "imported here": os.getpid() == IMPORTED_BY,
        "limits": __import__("resource").getrlimit(__import__("resource").RLIMIT_NOFILE),
    }


async def tell(me):
    Path(f"told-{me.name}.json").write_text(json.dumps(itself()))
    Path(f"chance-{me.name}").write_text(str(random.random()))
    await asyncio.sleep(600)


async def exits(me):
    atexit.register(print, "said at exit")
    threading.Thread(target=lambda: (time.sleep(2), print("said by a thread"))).start()
    await asyncio.sleep(1.3)
    sys.exit(3)


async def says_why(me):
    await asyncio.sleep(1.3)
    sys.exit("enough")


async def leaves_at_once(me):
    await asyncio.sleep(1.3)
    os._exit(7)


async def raises(me):
    raise ValueError("on purpose")


async def aborts(me):
    await asyncio.sleep(1.3)
    os.abort()


async def segfaults(me):
    await asyncio.sleep(1.3)
    os.kill(os.getpid(), signal.SIGSEGV)


async def interrupted(me):
    await asyncio.sleep(1.3)
    raise KeyboardInterrupt


async def too_soon(me):
    os._exit(5)


async def stubborn(me):
    ctypes.CDLL(None).prctl(1, 0)  # PR_SET_PDEATHSIG
    Path("stubborn").write_text("x")
    time.sleep(600)  # hears nothing, and so does not end for want of a log
'''


def started(stack, how, *arguments):
    (stack.cwd / "how.yaml").write_text(f"clients: {{start: {how}}}\nbot: {{rate: 0.01}}\n")
    (stack.cwd / "mine.py").write_text(BOTS)
    return stack.up("--config", "how.yaml", *arguments)


@pytest.fixture(params=["fork", "exec"])
def how(request):
    return request.param


@pytest.fixture
def stack(tmp_path):
    made = Stack(tmp_path / "stack")
    yield made
    made.end()


def read(pid, name):
    return Path(f"/proc/{pid}/{name}").read_bytes()


def was_execed(pid):
    """The kernel keeps the environment that a process was exec'ed with."""
    return b"\0SUPERVISOR_PROCESS_NAME=" in read(pid, "environ")


def opened(pid):
    """Return the files, pipes and sockets that a process has open; both ends of a pipe are one."""
    found = [path.stat() for path in Path(f"/proc/{pid}/fd").iterdir() if path.exists()]
    return {(one.st_dev, one.st_ino) for one in found if stat.S_IFMT(one.st_mode) in KINDS}


def command_of(pid):
    return read(pid, "cmdline").rstrip(b"\0").replace(b"\0", b" ").decode()


def test_the_life_of_a_participant(stack, how):
    assert "3 participants joined" in started(stack, how, "--clients", "bob,carol", "--human", "zoe")
    assert was_execed(stack.pid("bob")) is (how == "exec")
    assert was_execed(stack.pid("server"))
    stack.run("join", "alice")
    assert was_execed(stack.pid("alice")) is (how == "exec"), "one that joins later is started likewise"
    assert "said at Lamport time" in stack.run("say", "zoe", "hé")
    eventually(lambda: "zoe: hé" in stack.run("logs", "bob"))
    stack.run("pause", "bob")
    stack.run("unpause", "bob")
    stack.run("kill", "bob")
    assert stack.of("bob")["reason"] == "killed"
    stack.run("restart", "bob")
    stack.run("restart", "server")
    eventually(lambda: stack.joined() == {"alice", "bob", "carol", "zoe"})
    stack.run("leave", "alice")
    stack.run("doctor")
    stack.run("down")
    for name in ("alice", "bob", "carol", "zoe"):
        assert stack.records(name)[-1].event == "end", f"{name} ended in good order"
    stack.run("check")


def test_a_listing_of_processes_shows_which_one_is_which(stack, how):
    started(stack, how, "--clients", "bob")
    pid = stack.pid("bob")
    assert command_of(pid) == f"{sys.executable} -P -m chitty.client clients/bob.json"
    if how == "fork":
        assert read(pid, "comm") == b"bob\n"


def test_a_participant_has_nothing_of_supervisords_but_its_own_input_and_output(stack, how):
    started(stack, how, "--clients", "bob,carol", "--human", "zoe")
    files = {(found.st_dev, found.st_ino) for path in stack.layout.directory.rglob("*") for found in [path.stat()]}
    held = opened(stack.supervisor())
    theirs = [opened(stack.pid(name)) for name in ("bob", "carol", "zoe")]
    for own in theirs:
        assert not own & files, "no lock, no log"
        assert len(own & held) == 3, "standard input, output and error"
    bob, carol, zoe = theirs
    assert not (bob & carol) | (carol & zoe) | (bob & zoe)


def test_a_fork_finds_itself_as_an_exec_would(tmp_path):
    told = {}
    for how in ("exec", "fork"):
        stack = Stack(tmp_path / "stack")
        try:
            started(stack, how, "--clients", 0)
            stack.run("join", "ann", "ben", "--bot", "mine:tell")
            found = [stack.layout.directory / f"{kind}-{name}" for kind, name in [("chance", "ann"), ("chance", "ben")]]
            ann, ben = eventually(lambda found=found: all(map(Path.exists, found)) and [p.read_text() for p in found])
            assert ann != ben, "chance is each one's own"
            told[how] = json.loads((stack.layout.directory / "told-ann.json").read_text())
            assert was_execed(stack.pid("ann")) is (how == "exec")
        finally:
            stack.end()
    assert told["fork"] == told["exec"]
    assert told["fork"]["seen by a child"] == "ann 1 ann\n"
    assert told["fork"]["imported here"]


def test_a_crash_is_what_it_is(stack, how):
    started(stack, how, "--clients", 0)
    ends = {
        "exits": "crashed (exit status 3)",
        "says_why": "crashed (exit status 1)",
        "leaves_at_once": "crashed (exit status 7)",
        "raises": "crashed (exit status 1)",
        "aborts": "crashed (SIGABRT)",
        "segfaults": "crashed (SIGSEGV)",
        "interrupted": "crashed (SIGINT)",
        "too_soon": "crashed (exit status 5)",
    }
    for name in ends:
        stack.start("join", name, "--bot", f"mine:{name}").communicate(timeout=PATIENCE)
    eventually(lambda: all(stack.of(name).get("reason") for name in ends))
    assert {name: stack.of(name)["reason"] for name in ends} == ends
    assert {stack.of(name)["state"] for name in ends if name != "too_soon"} == {"EXITED"}
    # supervisord calls it a failed start, if the machine was quick enough for it to end within a second
    assert stack.of("too_soon")["state"] in {"FATAL", "EXITED"}
    prose = {name: [record.prose for record in stack.records(name) if record.prose] for name in ends}
    assert [line for line in prose["exits"] if "said" in line] == ["said by a thread", "said at exit"]
    assert "enough" in prose["says_why"]
    assert "ValueError: on purpose" in prose["raises"]
    assert "KeyboardInterrupt" in prose["interrupted"]
    assert not any("supervisor" in line for lines in prose.values() for line in lines), "tracebacks are their own"


def test_one_that_outlived_its_supervisord_is_found_and_ended(stack, how):
    started(stack, how, "--clients", 0)
    stack.run("join", "eve", "--bot", "mine:stubborn")
    eventually((stack.layout.directory / "stubborn").exists)
    pid = stack.pid("eve")
    os.kill(stack.supervisor(), signal.SIGKILL)
    eventually(lambda: leftovers.find(stack.layout, None) == [pid])
    assert f"live on: {pid}" in stack.run("doctor", expect=1)
    assert "ending 1 processes" in started(stack, how, "--clients", "bob")
    assert not process.alive(pid)
    stack.run("doctor")


def test_a_process_that_has_the_pid_of_one_that_was_here_is_left_alone(stack):
    stack.layout.make()
    with subprocess.Popen(["sleep", "600"], cwd=stack.layout.directory) as stranger:
        ready = stack.layout.ready / "bob"
        ready.write_text(json.dumps({"pid": stranger.pid, "started": process.started(stranger.pid) - 1}))
        assert leftovers.find(stack.layout, None) == []
        ready.write_text(json.dumps({"pid": stranger.pid, "started": process.started(stranger.pid)}))
        assert leftovers.find(stack.layout, None) == [stranger.pid]
        stranger.kill()


def test_a_supervisord_that_was_started_in_another_way_execs(stack):
    started(stack, "fork", "--clients", 2)
    stack.run("down")
    stock = [sys.executable, "-m", "supervisor.supervisord"]
    subprocess.run(stock, cwd=stack.layout.directory, env=stack.environment, check=True, timeout=PATIENCE)
    eventually(lambda: stack.joined() == {"bob", "carol"})
    assert was_execed(stack.pid("bob"))


def test_the_client_is_imported_by_the_first_one_that_is_forked(stack):
    started(stack, "fork", "--clients", 0)

    def mapped():
        return re.search(rb"/cygrpc\S*\.so", read(stack.supervisor(), "maps")) is not None

    assert not mapped()
    stack.run("join", "alice")
    assert mapped()
    assert len(list(Path(f"/proc/{stack.supervisor()}/task").iterdir())) == 1, "gRPC has started nothing there"
