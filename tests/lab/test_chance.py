"""Steps by chance: the same for the same seed, and such that each makes sense where it stands."""

from hypothesis import given
from hypothesis import strategies as st

from chitty import resources, settings
from chitty.lab import chance, scenario
from chitty.lab.steps import Expect, Join, Kill, Leave, Pause, Random, Restart, Say, Step, Unpause, Up
from chitty.lab.values import Name

ROSTER = settings.read(resources.path("conf/chitty.yaml")).clients.roster
START = Up(clients=["bob", "carol", "dave", "erin"])


def expand(seed: int, **how: int) -> list[Step]:
    return chance.expand(START, [Random(**{"steps": 200, **how})], ROSTER, seed)


def test_the_same_seed_makes_the_same_steps_and_another_does_not():
    assert expand(7) == expand(7)
    assert expand(7) != expand(8)


def test_the_steps_of_a_seed_stay_what_they_are():
    # A seed in a bug report or a lesson is worth something only as long as it means the same.
    assert [str(step) for step in expand(7, steps=12)[1:]] == [
        "erin says 'who was first? (1)'",
        "bob says 'hello (2)'",
        "carol says 'hello (3)'",
        "erin says 'not by my clock (4)'",
        "erin says 'hello (5)'",
        "bob says 'did you hear that? (6)'",
        "frank joins",
        "frank says 'hello (8)'",
        "carol says 'hello (9)'",
        "carol says 'as I said (10)'",
        "frank says 'who was first? (11)'",
        "frank says 'I was (12)'",
        "5 participants joined",
    ]


def test_churn_has_its_two_hundred_steps():
    found = scenario.read(scenario.find("churn"))
    made = found.steps(7)
    assert len(found.start.names) == 20
    assert len([step for step in made if not isinstance(step, Up | Expect)]) >= 200
    assert {type(step) for step in made} == {Up, Say, Join, Leave, Kill, Pause, Unpause, Restart, Expect}


@given(seed=st.integers(0, 2**32), least=st.integers(1, 4), more=st.integers(0, 6))
def test_each_step_makes_sense_where_it_stands(seed, least, more):
    awake, paused, killed = set(START.names), set(), set()
    *made, last = expand(seed, least=least, most=4 + more)[1:]
    for step in made:
        who = {*step.who} if isinstance(step, Join | Leave) else {str(step.who)}
        match step:
            case Say():
                assert who <= awake
            case Join():
                assert not who & (awake | paused | killed)
                awake |= who
            case Leave():
                assert who <= awake
                awake -= who
            case Kill():
                assert who <= awake
                awake, killed = awake - who, killed | who
            case Pause():
                assert who <= awake
                awake, paused = awake - who, paused | who
            case Unpause():
                assert who <= paused
                awake, paused = awake | who, paused - who
            case Restart():
                assert who <= killed
                awake, killed = awake | who, killed - who
        assert len(awake) >= least
        assert len(awake | paused | killed) <= 4 + more
    assert not paused
    assert last == Expect(participants=len(awake), within=chance.SETTLED)


@given(seed=st.integers(0, 2**32))
def test_a_weight_of_nothing_makes_none(seed):
    only_talk = {"join": 0, "leave": 0, "kill": 0, "pause": 0, "unpause": 0, "restart": 0}
    talk = settings.convert({"steps": 20, "weights": only_talk}, Random, "the test")
    assert {type(step) for step in chance.expand(START, [talk], ROSTER, seed)} == {Up, Say, Expect}


def test_steps_by_chance_know_who_came_and_went_before():
    before = [Join(who=("alice",)), Kill(who="bob"), Leave(who=("carol",)), Join(who=("zoe",), refused="limit")]
    talk = settings.convert({"steps": 50, "weights": {"join": 0, "restart": 0}}, Random, "the test")
    made = chance.expand(START, [*before, talk], ROSTER, 1)
    assert {step.who for step in made if isinstance(step, Say)} <= {Name("alice"), Name("dave"), Name("erin")}
