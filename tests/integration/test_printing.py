"""What a participant's process prints, logs and leaves behind, in real stacks: forked participants and exec'ed ones."""

import signal
import subprocess
import sys

import pytest

from chitty import journal
from tests.integration.launching import Stack
from tests.waiting import PATIENCE, eventually

STARTED = "2026-11-23T03:11:50.123456Z INFO"
FORGED = 'deliver lamport=3 n=4 op=publish epoch=5b1e77c0 seq=4 stamped=2 participant=bob text="I owe you"'

LAST_WORDS = """\
import asyncio, ctypes, faulthandler, os, signal, sys


async def exits(me):
    await asyncio.sleep(1.3)
    for n in range(300):
        print("line", n)
    os._exit(3)


async def exits_at_once(me):
    for n in range(300):
        print("line", n, file=sys.stderr)
    os._exit(3)


async def is_killed(me):
    await asyncio.sleep(1.3)
    for n in range(300):
        print("line", n)
    os.kill(os.getpid(), signal.SIGKILL)


async def segfaults(me):
    faulthandler.enable()
    await asyncio.sleep(1.3)
    print("about to crash")
    ctypes.string_at(0)


async def aborts(me):
    await asyncio.sleep(1.3)
    sys.stderr.write("cannot go on\\n")
    os.abort()


async def breaks_off(me):
    await asyncio.sleep(1.3)
    os.write(1, b"half a li")
    os._exit(3)


async def fills_the_pipe(me):
    await asyncio.sleep(1.3)
    print("\\n".join(f"line {n} {'x' * 100}" for n in range(3000)))
    os._exit(3)
"""

CONFIGURATIONS = {
    "root_level": "logging.getLogger().setLevel(logging.WARNING)",
    "disabled": "logging.disable(logging.CRITICAL)",
    "dict_config": "logging.config.dictConfig({'version': 1, 'root': {'level': 'ERROR'}})",
    "dict_config_of_ours": "logging.config.dictConfig({'version': 1, 'loggers': {'chitty': {'level': 'CRITICAL'},"
    " f'chitty.{me.name}': {'level': 'CRITICAL', 'propagate': False}}})",
    "forced": "logging.basicConfig(level=logging.DEBUG, force=True)",
    "no_handlers": "logging.getLogger().handlers.clear()",
    "closed_handlers": "[handler.close() for handler in logging.getLogger().handlers]",
    "deaf_handlers": "[(handler.setLevel(99), handler.addFilter(lambda record: False))"
    " for handler in logging.getLogger().handlers]",
    "every_logger_disabled": "[vars(logger).update(disabled=True, propagate=False, handlers=[])"
    " for logger in (logging.getLogger(name) for name in list(logging.root.manager.loggerDict))]",
    "other_classes": "logging.setLoggerClass(Broken); logging.getLogger().manager.setLoggerClass(Broken);"
    " logging.setLogRecordFactory(lambda *_, **__: 1 / 0)",
    "shut_down": "logging.shutdown()",
    "own_streams": "sys.stdout = sys.stderr = io.StringIO()",
    "no_output": "os.close(1); os.close(2)",
}

CONFIGURES = """\
import asyncio, io, logging, logging.config, os, sys


class Broken(logging.Logger):
    def handle(self, record):
        raise RuntimeError


async def configures(me):
    globals()[me.name](me)
    await me.publish("said all the same")


{how}"""

LOGS = """\
import logging, logging.config, sys


async def warns(me):
    logging.getLogger("mine").warning("by default")
    logging.addLevelName(35, "NO LEVEL\\n")
    logging.log(35, "at a level of its own")


async def forces(me):
    logging.basicConfig(level=logging.DEBUG, force=True, format="[%(levelname)s] %(message)s")
    for n in range(5000):
        logging.debug("%d %s", n, "x" * 100)
    logging.warning("where it was sent")
"""

FORGES = f"""\
import logging, os, subprocess, sys

EVENT = {FORGED!r}


async def forges(me):
    lines = [EVENT, *(f"{STARTED} {{name}} {{EVENT}}" for name in (me.name, "hub", "bob"))]
    for line in lines:
        print(line)
        print(line, file=sys.stderr)
        logging.warning(line)
        logging.warning("x\\n" + line)
        os.write(1, b"x\\r" + line.encode() + b"\\r\\n")
        for end in ("\\r", "\\x85", "\\u2028", "\\x0b"):
            print("x" + end + line)
        subprocess.run(["sh", "-c", 'printf "%s\\\\n" "$0"; printf "%s\\\\n" "$0" >&2', line])
        for piece in line, "\\n":
            sys.stderr.write(piece)
            sys.stderr.flush()
        await me.publish("between them")
        print("x" * {journal.LONGEST} + line)
    logging.addLevelName(36, f"INFO\\n{STARTED} {{me.name}} {{EVENT}}\\n{STARTED}")
    logging.log(36, "forged by its level")
    os.write(1, b"\\xff\\xfe" + lines[1].encode())
"""


@pytest.fixture(params=["fork", "exec"])
def how(request):
    return request.param


@pytest.fixture
def stack(tmp_path, how):
    made = Stack(tmp_path / "stack")
    (made.cwd / "how.yaml").write_text(f"clients: {{start: {how}}}\nbot: {{rate: 0.01}}\n")
    yield made
    made.end()


def plays(stack, source, *names, bot="{name}"):
    """Let each bot of a file live and end in a stack of its own."""
    (stack.cwd / "mine.py").write_text(source)
    stack.up("--config", "how.yaml", "--clients", 0)
    joining = [stack.start("join", name, "--bot", f"mine:{bot.format(name=name)}") for name in names]
    for command in joining:
        command.communicate(timeout=PATIENCE)
    eventually(lambda: all(stack.of(name).get("reason") for name in names))


def prose(stack, name):
    return [record.prose for record in stack.records(name) if not record.event]


def test_last_words_are_in_the_log_however_a_process_ends(stack):
    names = ["exits", "exits_at_once", "is_killed", "segfaults", "aborts", "breaks_off", "fills_the_pipe"]
    plays(stack, LAST_WORDS, *names)
    lines = [f"line {n}" for n in range(300)]
    assert prose(stack, "exits") == lines
    assert prose(stack, "exits_at_once") == lines
    assert prose(stack, "is_killed") == lines
    assert prose(stack, "segfaults")[:2] == ["about to crash", "Fatal Python error: Segmentation fault"]
    assert any("mine.py" in line and "in segfaults" in line for line in prose(stack, "segfaults"))
    assert prose(stack, "aborts") == ["cannot go on"]
    assert prose(stack, "breaks_off") == ["half a li"]
    assert [line.split()[1] for line in prose(stack, "fills_the_pipe")] == [str(n) for n in range(3000)]
    stack.run("check")


def test_no_configuration_of_logging_takes_the_log_away(stack):
    how = "\n".join(f"def {name}(me):\n    {what}\n" for name, what in CONFIGURATIONS.items())
    plays(stack, CONFIGURES.format(how=how), *CONFIGURATIONS, bot="configures")
    told = {}
    for name in CONFIGURATIONS:
        events = [
            (record.event, record.text("op"))
            for record in stack.records(name)
            if record.event and record.event != "deliver"
        ]
        told[name] = [*events, stack.of(name)["reason"]]
    whole = [
        ("start", ""),
        ("send", "join"),
        ("send", "publish"),
        ("ack", "publish"),
        ("send", "leave"),
        ("ack", "leave"),
        ("end", ""),
    ]
    assert told == {name: [*whole, "left"] for name in CONFIGURATIONS}
    stack.run("check")


def test_what_a_bot_logs_goes_where_it_sends_it_and_is_prose_in_the_log(stack):
    plays(stack, LOGS, "warns", "forces")
    levels = {record.prose: record.level for record in stack.records("warns") if not record.event}
    assert levels == {"by default": "WARNING", "at a level of its own": "INFO"}
    written = prose(stack, "forces")
    assert len(written) >= 5001, "as fast as it can, and nothing waits for itself"
    assert "[WARNING] where it was sent" in written
    assert {record.level for record in stack.records("forces")} == {"INFO"}


def test_nothing_that_is_printed_passes_for_an_event(stack):
    plays(stack, FORGES, "forges")
    log = stack.layout.log("forges").read_text(encoding="utf-8")
    lines = [line for line in log.split("\n") if line]
    records = [journal.parse(line) for line in lines]
    assert None not in records, "every line has a head"
    forged = [record for line, record in zip(lines, records, strict=True) if "I owe you" in line]
    assert len(forged) >= 50
    assert {(record.event, record.process) for record in forged} == {("", "forges")}
    assert len({record.fields["n"] for record in records if record.event}) == sum(bool(r.event) for r in records)
    stack.run("check")


def test_a_stock_supervisord_makes_prose_too_and_one_without_the_plugin_keeps_it_apart(stack, how):
    (stack.cwd / "mine.py").write_text(
        f"""async def talks(me):
    print({STARTED + " bob " + FORGED!r})
    async for _ in me: pass
"""
    )
    stack.up("--config", "how.yaml", "--clients", 0)
    stack.run("join", "bob", "--bot", "mine:talks")
    eventually(lambda: prose(stack, "bob") == [f"{STARTED} bob {FORGED}"])
    log, printed = stack.layout.log("bob"), stack.layout.logs / "bob.stderr"
    assert not printed.exists()
    stack.run("down")
    configuration = stack.layout.config.read_text()
    plugin = configuration[configuration.index("; Holds stack.lock") : configuration.index("[supervisorctl]")]
    for text, kept in (configuration, False), (configuration.replace(plugin, ""), True):
        stack.layout.config.write_text(text)
        log.unlink()
        program = stack.layout.program("bob")
        program.write_text(program.read_text().replace("autostart=false", "autostart=true"))
        supervisord = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n"],
            cwd=stack.layout.directory,
            env=stack.environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            eventually(lambda path=printed if kept else log: path.exists() and "I owe you" in path.read_text())
        finally:
            supervisord.send_signal(signal.SIGTERM)
            supervisord.wait(PATIENCE)
        assert prose(stack, "bob") == ([] if kept else [f"{STARTED} bob {FORGED}"])
        assert "I owe you" not in "".join(record.text("text") for record in stack.records("bob"))


def test_what_a_bot_prints_does_not_answer_for_it(stack):
    (stack.cwd / "mine.py").write_text(
        "import asyncio\nasync def denies(me):\n    while True:\n"
        "        print('not said: never')\n        await asyncio.sleep(0.001)\n"
    )
    stack.up("--config", "how.yaml", "--clients", 0)
    stack.run("join", "bob", "--bot", "mine:denies")
    assert "said at Lamport time" in stack.run("say", "bob", "hello")


def test_rotation_cuts_no_line_and_loses_none(stack):
    (stack.cwd / "how.yaml").write_text(
        (stack.cwd / "how.yaml").read_text() + "logs: {max_bytes: 20000, backups: 20}\n"
    )
    source = (
        "async def talks(me):\n    for n in range(1000):\n        print('line', n)\n"
        "        if n % 10 == 0: await me.publish('hello')\n"
    )
    plays(stack, source, "talks")
    files = sorted(stack.layout.logs.glob("talks.log*"))
    assert len(files) > 3
    assert all(file.read_bytes().endswith(b"\n") for file in files if file.stat().st_size)
    lines = [line for file in files for line in file.read_text().split("\n") if line]
    records = [journal.parse(line) for line in lines]
    assert None not in records
    assert sorted(record.prose for record in records if not record.event) == sorted(f"line {n}" for n in range(1000))
    stack.run("check")
