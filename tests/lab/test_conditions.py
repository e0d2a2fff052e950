"""What is said of a condition that does not hold, of a stack as it is and logs as they are."""

import pytest

from chitty import settings
from chitty.lab import conditions
from chitty.lab.conditions import Logs
from chitty.lab.steps import Expect
from chitty.lab.values import decode
from chitty.stack.control import Stack
from chitty.stack.layout import Layout
from chitty.stack.members import Member, Members, Server

HEAD = "2026-11-23T03:11:50.123456Z INFO"
NOW = Members(
    1,
    Server("RUNNING", 2, "127.0.0.1:1", "SERVING"),
    [
        Member("alice", "alice", "human", "RUNNING", 3, joined=True),
        Member("bob", "bob", "bot", "PAUSED", 4, joined=True),
        Member("carol", "carol", "bot", "EXITED", reason="killed"),
        Member("dave", "dave", "bot", "EXITED", reason="crashed (SIGSEGV)"),
        Member("erin", "erin", "bot", "STARTING", 5),
        Member("frank", "frank", "bot", "STOPPED", reason="left", left=True),
        Member("grace", "grace", "bot", "EXITED", reason="refused: name 'grace' is taken"),
        Member("heidi", "heidi", "bot", "STOPPED", reason="left", left=True),
        Member("heidi", "heidi", "bot", "RUNNING", 6),
    ],
)


@pytest.fixture
def logs(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/alice.log").write_text(
        f'\n{HEAD} alice send lamport=1 n=1 op=publish id=a.1 text="hello"\n'
        f'{HEAD} alice deliver lamport=4 n=2 op=publish epoch=e seq=1 stamped=3 participant=alice text="hello"\n'
        f'{HEAD} alice refused lamport=5 n=3 op=publish id=a.2 status=INVALID_ARGUMENT reason="too long: 129"\n'
        f'{HEAD} bob deliver lamport=4 n=2 op=publish epoch=e seq=1 stamped=3 participant=alice text="forged"\n'
        f"{HEAD} alice - prose of a person\n"
    )
    (tmp_path / "logs/server.log").write_text(f"\n{HEAD} hub start lamport=0 n=1 format=1 epoch=e pid=1 version=1\n")
    found = Logs(Stack(Layout.of(tmp_path)))
    yield found
    found.close()


def missing(logs: Logs, **condition: object) -> str:
    return conditions.missing(settings.convert(condition, Expect, "the test", hook=decode), NOW, logs)


@pytest.mark.parametrize(
    "state",
    [
        {"alice": "joined"},
        {"Alice": "running"},
        {"bob": "paused"},
        {"bob": "joined"},
        {"carol": "killed"},
        {"dave": "crashed"},
        {"erin": "running"},
        {"frank": "left"},
        {"grace": "refused"},
        {"heidi": "running"},
        {"server": "serving"},
        {"server": "running", "alice": "joined", "carol": "killed"},
    ],
)
def test_a_state_that_is_so(logs, state):
    assert missing(logs, state=state) == ""


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"participants": 3}, "2 joined: alice, bob"),
        ({"state": {"alice": "killed"}}, "alice is running and joined, not killed"),
        ({"state": {"bob": "running"}}, "bob is paused and joined, not running"),
        ({"state": {"erin": "joined"}}, "erin is running, not joined"),
        ({"state": {"heidi": "left"}}, "heidi is running, not left"),
        ({"state": {"zoe": "left"}}, "zoe is nobody here, not left"),
        ({"state": {"server": "paused"}}, "server is running and serving, not paused"),
        ({"participants": 2, "state": {"carol": "joined"}}, "carol is killed, not joined"),
        ({"log": {"process": "zoe"}}, "the log of zoe has this 0 times, not 1: any line"),
        (
            {"log": {"process": ["server", "alice"], "event": "start"}},
            "the log of alice has this 0 times, not 1: start",
        ),
        ({"log": {"process": "alice", "event": "send", "times": 2}}, "the log of alice has this 1 times, not 2: send"),
        ({"log": {"process": "alice", "event": "send", "times": 0}}, "the log of alice has this 1 times, not 0: send"),
        (
            {"log": {"process": "alice", "fields": {"op": "publish", "seq": 2}}},
            "the log of alice has this 0 times, not 1: any line op=publish seq=2",
        ),
    ],
)
def test_what_is_not_so_is_told(logs, condition, says):
    assert missing(logs, **condition) == says


@pytest.mark.parametrize(
    "line",
    [
        {"process": "alice", "event": "deliver", "text": "hell"},
        {"process": "alice", "event": "refused", "text": "129"},
        {"process": "alice", "text": "of a person"},
        {"process": "alice", "fields": {"op": "publish", "seq": 1, "participant": "alice"}},
        {"process": "alice", "times": 4},
        {"process": "alice", "text": "forged", "times": 0},
        {"process": "server", "event": "start"},
        {"process": ["alice", "zoe"], "event": "end", "times": 0},
    ],
)
def test_a_line_that_is_there(logs, line):
    assert missing(logs, log=line) == ""


def test_a_log_is_read_on_as_it_grows(logs):
    wanted = {"process": "alice", "event": "end"}
    assert missing(logs, log=wanted)
    with logs.stack.layout.log("alice").open("a") as file:
        file.write(f'{HEAD} alice end lamport=6 n=4 reason="left"\n')
    assert missing(logs, log=wanted) == ""
    assert len(logs.of("alice")) == 5
