import json
import os
import signal
from types import SimpleNamespace

import pytest
from supervisor import events
from supervisor.states import ProcessStates

from chitty.stack import locks, plugin


class FakeOptions:
    def __init__(self):
        self.reaped = []
        self.sockets = {}

    def waitpid(self):
        return self.reaped.pop(0) if self.reaped else (None, None)

    def get_socket_map(self):
        return self.sockets


class Process:
    def __init__(self, name, pid=0):
        self.config = SimpleNamespace(name=name, command="true", environment=None, stderr_logfile=None)
        self.pid, self.laststart, self.backoff = pid, 0, 0
        self.state = ProcessStates.STOPPED
        self.dispatchers = {}

    def get_state(self):
        return self.state


class FakeSupervisord:
    """What the plugin sees of supervisord: its loop's parts, in the order in which it runs them."""

    def __init__(self):
        self.options = FakeOptions()
        self.process_groups = {}

    def add(self, name):
        process = Process(name)
        self.process_groups[name] = SimpleNamespace(processes={name: process})
        return process

    def start(self, process, pid):
        process.laststart = 1
        self.change(process, events.ProcessStateStartingEvent, ProcessStates.STARTING)
        process.pid = pid
        self.change(process, events.ProcessStateRunningEvent, ProcessStates.RUNNING)

    def end(self, process, status, kind=events.ProcessStateExitedEvent, state=ProcessStates.EXITED):
        self.options.reaped.append((process.pid, status))
        self.options.waitpid()
        self.change(process, kind, state)
        process.pid = 0

    def change(self, process, kind, state):
        previous, process.state = process.state, state
        events.notify(kind(process, previous))


@pytest.fixture
def supervisord(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for memory in (plugin._ends, plugin._left, plugin._intents):
        monkeypatch.setattr(plugin, memory_name(memory), {})
    monkeypatch.setattr(plugin, "_lock", -1)
    monkeypatch.setattr(plugin, "_waker", None)
    events.clear()
    yield FakeSupervisord()
    events.clear()
    signal.set_wakeup_fd(-1)
    if plugin._lock >= 0:
        os.close(plugin._lock)
    if plugin._waker is not None:
        os.close(plugin._waker._reading)
        os.close(plugin._waker._writing)


def memory_name(memory):
    return next(name for name, value in vars(plugin).items() if value is memory)


def told(interface):
    return json.loads(interface.programs())


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


def test_it_holds_the_stack_for_life_and_no_second_one_may(supervisord, tmp_path, monkeypatch):
    plugin.make(supervisord)
    assert locks.is_held(tmp_path / "stack.lock")
    monkeypatch.setattr(plugin, "_PATIENCE", 0.05)
    mine = plugin._lock
    monkeypatch.setattr(plugin, "_lock", -1)
    with pytest.raises(ValueError, match="another supervisord holds"):
        plugin.make(supervisord)
    os.close(plugin._lock)
    monkeypatch.setattr(plugin, "_lock", mine)


def test_a_reload_takes_the_lock_again_when_it_was_closed(supervisord, tmp_path):
    plugin.make(supervisord)
    os.close(plugin._lock)
    plugin.make(supervisord)
    assert locks.is_held(tmp_path / "stack.lock")


def test_an_end_by_signal_has_its_name_and_whether_it_was_asked_for(supervisord, tmp_path):
    interface = plugin.make(supervisord)
    bob = supervisord.add("bob")
    supervisord.start(bob, 41)
    interface.note("bob", json.dumps({"intent": "kill", "pid": 41, "signal": "SIGKILL"}))
    supervisord.end(bob, signal.SIGKILL)
    (program,) = told(interface)["programs"]
    assert program["state"] == "EXITED"
    assert program["end"] == {
        "program": "bob",
        "state": "EXITED",
        "pid": 41,
        "signal": "SIGKILL",
        "asked": "kill",
    }
    supervisord.start(bob, 42)
    assert told(interface)["programs"][0]["end"] is None
    supervisord.end(bob, signal.SIGSEGV)
    assert told(interface)["programs"][0]["end"]["asked"] == "", "that was asked of an earlier life"
    assert [line.get("intent") or line["state"] for line in lines(tmp_path)] == [
        "STARTING",
        "RUNNING",
        "kill",
        "EXITED",
        "STARTING",
        "RUNNING",
        "EXITED",
    ]


def test_an_exit_has_its_status_even_when_it_came_too_early_for_supervisord(supervisord):
    interface = plugin.make(supervisord)
    bob = supervisord.add("bob")
    supervisord.start(bob, 41)
    supervisord.end(bob, 3 << 8, events.ProcessStateBackoffEvent, ProcessStates.BACKOFF)
    supervisord.change(bob, events.ProcessStateFatalEvent, ProcessStates.FATAL)
    (program,) = told(interface)["programs"]
    assert (program["state"], program["end"]["status"]) == ("FATAL", 3)


def test_who_left_is_remembered_until_it_starts_again_or_is_forgotten(supervisord):
    interface = plugin.make(supervisord)
    gone = {"intent": "left", "name": "Bob", "kind": "bot", "reason": "left"}
    interface.note("bob", json.dumps(gone))
    interface.note("eve", json.dumps(gone))
    assert told(interface)["left"]["bob"] == {"name": "Bob", "kind": "bot", "reason": "left"}
    supervisord.start(supervisord.add("bob"), 41)
    interface.note("eve", json.dumps({"intent": "forget"}))
    assert told(interface)["left"] == {}


def test_a_signal_wakes_the_loop(supervisord):
    plugin.make(supervisord)
    ((descriptor, waker),) = supervisord.options.sockets.items()
    assert waker.readable()
    signal.signal(signal.SIGUSR1, lambda *_: None)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert os.read(descriptor, 1)
    waker.handle_read_event()
    plugin.make(supervisord)
    assert len(supervisord.options.sockets) == 1, "a reload leaves one"
    os.close(waker._reading)
    os.close(waker._writing)
