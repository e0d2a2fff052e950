"""What a scenario may say, and what is said of one that may not: the step by its number, the key at fault."""

import re
from pathlib import Path

import pytest

from chitty import resources, settings
from chitty.core.errors import SettingsError
from chitty.lab import scenario
from chitty.lab.steps import VERBS, Expect, Join, Kill, Line, Say, Wait, Weights
from chitty.lab.values import SERVER_STATES, STATES

DOCUMENT = Path(__file__).parents[2] / "docs/scenarios.md"
DEFAULT = settings.text_of(resources.path("conf/chitty.yaml"))


def load(*steps: str, start: str = "up: {humans: [bob, carol]}") -> scenario.Scenario:
    return scenario.load("\n".join(["title: t", "steps:", *(f"- {step}" for step in (start, *steps))]), "x", DEFAULT)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("dance: bob", "x, step 2: there is no 'dance': give one of up, join, say"),
        ("{kill: bob, say: bob}", "x, step 2: a step is one verb"),
        ("[kill, bob]", "x, step 2: a step is one verb"),
        ("kill", "x, step 2 (kill): object missing required field `who`"),
        ("kill: b b", "x, step 2 (kill), key who: name 'b b' has ' '"),
        ("kill: 3", "x, step 2 (kill), key who: expected a name, got 3"),
        ("kill: hub", "x, step 2 (kill), key who: name 'hub' is reserved"),
        ("kill: {who: bob, signal: BANG}", "x, step 2 (kill): signal 'BANG' is none"),
        ("kill: {whom: bob}", "x, step 2 (kill): object "),
        ("join: server", "x, step 2 (join), key who: name 'server' is reserved"),
        ("join: [alice, Alice]", "x, step 2 (join), key who: somebody is named twice"),
        ("join: {who: alice, human: perhaps}", "x, step 2 (join), key human: expected `bool`, got `str`"),
        ("join: {who: alice, within: 0}", "x, step 2 (join), key within: expected `float` > 0"),
        ("say: {who: bob}", "x, step 2 (say): object missing required field `text`"),
        ("say: {who: bob, text: yes}", "x, step 2 (say), key text: expected a text (in quotes"),
        ("say: {who: bob, text: {repeat: a}}", "x, step 2 (say), key text: expected a text"),
        ("say: {who: bob, text: a, refuse: b}", "x, step 2 (say): object contains unknown field `refuse`"),
        ("up: 3", "x, step 2 (up): the stack runs already"),
        ("wait: {}", "x, step 2 (wait): give `for`, in seconds, or `until`"),
        ("wait: {for: 1, until: {participants: 1}}", "x, step 2 (wait): give `for`, in seconds, or `until`"),
        ("wait: -1", "x, step 2 (wait), key for: expected `float` > 0"),
        ("wait: {until: {participants: many}}", "x, step 2 (wait), key until.participants: expected `int"),
        ("wait: {until: {state: {bob: dead}}}", "x, step 2 (wait), key until.state: bob cannot be 'dead'"),
        ("expect: {}", "x, step 2 (expect): nothing is expected"),
        (
            "expect: {state: {bob: serving}}",
            "x, step 2 (expect), key state: bob cannot be 'serving': give one of joined",
        ),
        ("expect: {state: {server: joined}}", "x, step 2 (expect), key state: server cannot be 'joined'"),
        ("expect: {state: bob}", "x, step 2 (expect), key state: expected names with a state each"),
        ("expect: {log: {event: send}}", "x, step 2 (expect), key log: object missing required field `process`"),
        ("expect: {log: [{process: bob, event: sned}]}", "x, step 2 (expect), key log[0]: there is no event 'sned'"),
        ("expect: {log: {process: bob, times: -1}}", "x, step 2 (expect), key log.times: expected `int` >= 0"),
        ("random: {steps: 0}", "x, step 2 (random), key steps: expected `int` >= 1"),
        ("random: {steps: 9, least: 5, most: 4}", "x, step 2 (random): most is 4, below least, which is 5"),
        ("random: {steps: 9, weights: {sing: 1}}", "x, step 2 (random), key weights: object contains unknown"),
    ],
)
def test_what_is_wrong_is_named_by_step_and_key(step, says):
    with pytest.raises(SettingsError) as caught:
        load(step)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("say: {who: bob, text: hi}", "x, step 1: a scenario begins with `up`"),
        ("up: {clients: some}", "x, step 1 (up), key clients: expected `int | array`, got `str`"),
        ("up: {clients: -1}", "x, step 1 (up), key clients: expected `int` >= 0"),
        ("up: {clients: [b b]}", "x, step 1 (up), key clients: name 'b b' has ' '"),
        ("up: {settings: {bot: {rate: 0}}}", "x, step 1 (up), setting bot.rate: expected `float` > 0"),
        ("up: {settings: {bots: {}}}", "x, step 1 (up): object contains unknown field `bots`"),
    ],
)
def test_a_start_that_is_none(start, says):
    with pytest.raises(SettingsError) as caught:
        load(start=start)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps: [", "x is not YAML at line 1"),
        ("- up", "x holds a list: a scenario has a `title:` and `steps:`"),
        ("steps: []", "x: object missing required field `title`"),
        ("title: t\nsteps: []", "x, step 1: a scenario begins with `up`"),
        ("title: t\nsteps: []\nstops: []", "x: object contains unknown field `stops`"),
    ],
)
def test_a_file_that_holds_none(text, says):
    with pytest.raises(SettingsError) as caught:
        scenario.load(text, "x", DEFAULT)
    assert str(caught.value).startswith(says)


def test_steps_are_read_in_their_short_and_long_form():
    found = load("kill: carol", "kill: {who: Server, signal: TERM}", "join: alice", "wait: 2", "expect: 3").then
    assert found[0] == Kill(who="carol")
    assert (found[1].who, found[1].number.name) == ("server", "SIGTERM")
    assert found[2] == Join(who=("alice",))
    assert found[3] == Wait(seconds=2.0)
    assert found[4] == Expect(participants=3)


def test_a_text_is_verbatim_or_a_repetition():
    texts = ['"  spaces "', "{repeat: 🕰, times: 128}", '""']
    found = load(*(f"say: {{who: bob, text: {text}}}" for text in texts)).then
    assert [step.text for step in found] == ["  spaces ", "🕰" * 128, ""]


def test_log_lines_may_be_one_or_several():
    one, several = load(
        "expect: {log: {process: bob, event: send}}", "expect: {log: [{process: [bob, server]}, {process: carol}]}"
    ).then
    assert one.lines == [Line(process=("bob",), event="send")]
    assert [line.process for line in several.lines] == [("bob", "server"), ("carol",)]


def test_a_number_of_clients_becomes_names_of_the_roster_that_are_not_taken():
    start = load(start="up: {clients: 3, humans: [carol]}").start
    assert start.names == ("bob", "dave", "erin", "carol")
    own = load(start="up: {clients: 2, settings: {clients: {roster: [x, y, z]}}}").start
    assert own.names == ("x", "y")


def test_every_step_says_in_one_line_what_it_does():
    found = load(
        "join: [alice, zoe]",
        "join: {who: zoe, refused: limit}",
        "say: {who: bob, text: {repeat: a, times: 129}, refused: at most}",
        "leave: bob",
        "kill: server",
        "kill: {who: bob, signal: TERM}",
        "pause: bob",
        "unpause: bob",
        "restart: server",
        "wait: 1.5",
        "wait: {until: {state: {server: serving}}}",
        "expect: {participants: 1, log: {process: [bob, carol], event: end, fields: {op: leave}, text: x, times: 0}}",
        "expect: {that: all is well, participants: 1}",
        "random: 5",
    )
    assert [str(step) for step in (found.start, *found.then)] == [
        "the server starts, and 2 participants: bob, carol",
        "alice, zoe join",
        "zoe asks to join: refused",
        "bob says 'aaaaaaaaaaaaaaaaaaaa... (129 characters)': refused",
        "bob leaves",
        "the server is killed",
        "bob is killed (TERM)",
        "bob is paused",
        "bob goes on",
        "the server is restarted",
        "chat for 1.5 s",
        "wait until the server is serving",
        "1 participant joined; end op=leave with 'x' in the log of bob, carol, not once",
        "all is well",
        "5 steps by chance",
    ]


def test_the_scenarios_that_come_along_are_scenarios_and_found_by_name():
    assert scenario.names() == ["churn", "crash", "demo", "slow"]
    for name in scenario.names():
        assert scenario.read(scenario.find(name)).steps(1)
    for name in ("nothing", "chitty", "../conf/demo"):
        with pytest.raises(
            SettingsError, match=f"no scenario '{name}': give a file, or one of churn, crash, demo, slow"
        ):
            scenario.find(name)


def test_a_file_goes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_text("title: mine")
    assert scenario.find("demo").read_text() == "title: mine"


def test_the_demo_does_what_the_assignment_asks():
    found = scenario.read(scenario.find("demo"))
    verbs = [type(step).__name__.lower() for step in found.then]
    assert len(found.start.names) >= 3
    assert {"join", "say", "leave", "kill", "expect"} <= set(verbs) <= set(VERBS)
    said = [step for step in found.then if isinstance(step, Say)]
    assert {step.who for step in said} >= set(found.start.names)
    assert {(len(step.text), bool(step.refused)) for step in said} >= {(128, False), (129, True), (0, True)}


def test_the_document_tells_of_every_verb_key_state_and_scenario():
    text = DOCUMENT.read_text(encoding="utf-8")
    for kind in (*VERBS.values(), Line, Weights):
        for key in kind.__struct_encode_fields__:
            assert re.search(rf"`{key}[`:]", text), f"{kind.__name__} takes {key}"
    for word in (*VERBS, *STATES, *SERVER_STATES, *scenario.names()):
        assert f"`{word}`" in text


def test_the_scenario_of_the_document_is_one():
    (shown,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(scenario.load(shown, "the document", DEFAULT).then) == 4
