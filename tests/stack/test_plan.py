import configparser
import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty import resources, settings
from chitty.core import names
from chitty.core.errors import InvalidArgument, SettingsError
from chitty.stack import plan
from chitty.stack.layout import Detour, slug
from chitty.stack.plan import Wish
from chitty.stack.up import Request, keep, wishes

PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def told():
    return settings.read(resources.path("conf/chitty.yaml"))


def parsed(file: plan.File) -> configparser.RawConfigParser:
    # As supervisord reads it.
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(file.text)
    return parser


def test_a_participant_is_run_once_and_starts_with_the_stack_if_it_is_of_its_beginning(told):
    parser = parsed(plan.client_program("bob", told, PYTHON, autostart=True))
    assert parser.sections() == ["program:bob"]
    section = dict(parser["program:bob"])
    assert section["command"] == f"{PYTHON} -P -m chitty.client clients/bob.json"
    assert section["autostart"] == "true"
    assert section["autorestart"] == "false"
    assert section["startretries"] == "0"
    assert section["startsecs"] == "1"
    assert section["stdout_logfile"] == "logs/bob.log"
    assert section["stdout_logfile_maxbytes"] == "0"
    late = parsed(plan.client_program("zoe", told, PYTHON, autostart=False))
    assert late["program:zoe"]["autostart"] == "false"


def test_the_server_is_started_again_and_before_the_others(told):
    section = parsed(plan.server_program(told, PYTHON))["program:server"]
    assert section["autorestart"] == "true"
    assert int(section["priority"]) < 100


def test_rotation_is_by_the_settings(told):
    rotating = settings.load("logs: {max_bytes: 5000, backups: 3}", "test", settings.dump(told))
    section = parsed(plan.client_program("bob", rotating, PYTHON, autostart=True))["program:bob"]
    assert section["stdout_logfile_maxbytes"] == "5000"
    assert section["stdout_logfile_backups"] == "3"


@given(st.text(min_size=1, max_size=32))
def test_whatever_the_name_the_ini_file_has_one_program_with_a_plain_name(name):
    try:
        name = names.normalise(name)
    except InvalidArgument:
        return
    told = settings.read(resources.path("conf/chitty.yaml"))
    told_file, program = plan.client_files(Wish(name), told, PYTHON, ["/x"], autostart=True)
    assert parsed(program).sections() == [f"program:{slug(name)}"]
    assert program.text.isascii()
    assert json.loads(told_file.text)["name"] == name


@pytest.mark.parametrize("python", ["/opt/a b/python", "/opt/100%/python", "/opt/ünï/python", "/o(p)t/$x/python"])
def test_the_interpreter_is_written_so_that_supervisord_reads_it_back(python):
    word = plan.python_word(python)
    assert shlex.split(word % {}) == [python]
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(f"[x]\ncommand={word} -m y\n")
    assert parser["x"]["command"] == f"{word} -m y"


@pytest.mark.parametrize("python", ["/a ;b/python", "/a #b/python", "/a'b/p", '/a"b/p', "/a\nb/p", "/a%(here)s/p"])
def test_an_interpreter_that_cannot_be_written_is_refused(python):
    with pytest.raises(SettingsError, match="install Chitty-Chat at another path"):
        plan.python_word(python)


def test_the_base_is_copied_as_it_is_but_where_a_path_will_not_do(tmp_path):
    text = resources.path("supervisord.conf").read_text()
    assert plan.base(text, Detour()) == text
    changed = plan.base(text, Detour(tmp_path / "x.sock", tmp_path / "link"))
    parser = configparser.RawConfigParser()
    parser.read_string(changed)
    assert parser["unix_http_server"]["file"] == f"{tmp_path}/x.sock"
    assert parser["supervisorctl"]["serverurl"] == f"unix://{tmp_path}/x.sock"
    assert parser["include"]["files"] == f"{tmp_path}/link/programs/*.conf"


def test_names_come_from_the_roster_and_are_numbered_on_past_it():
    roster = ["bob", "carol"]
    assert plan.names(5, roster) == ["bob", "carol", "bob2", "carol2", "bob3"]
    assert plan.names(2, roster, ["BOB"]) == ["carol", "bob2"]
    assert plan.names(0, roster) == []
    assert plan.names(-3, roster) == []
    assert plan.names(1, []) == ["bot"]


def test_a_numbered_name_is_never_too_long():
    assert plan.names(2, ["x" * 32]) == ["x" * 32, "x" * 31 + "2"]


def test_those_counted_or_named_and_the_humans_take_part_once(told):
    assert [wish.name for wish in wishes(Request(), told)] == ["bob", "carol", "dave"]
    assert [wish.name for wish in wishes(Request(clients=1), told)] == ["bob"]
    found = wishes(Request(clients=("zoe", "yan"), humans=("Zoe", "mia")), told)
    assert [(wish.name, wish.kind) for wish in found] == [("Zoe", "human"), ("yan", "bot"), ("mia", "human")]


def test_what_a_stack_keeps_means_the_same_participants_again(told):
    again = settings.load(settings.dump(keep(told, ["zoe", "dave"])), "kept")
    assert [wish.name for wish in wishes(Request(), again)] == ["zoe", "dave"]
    assert plan.names(1, again.clients.roster, ["zoe", "dave"]) == ["bob"]


def test_a_participant_is_told_its_bot_and_where_to_look_for_it(told):
    own = plan.client_told(Wish("bob", run="mine:chat"), told, ["/home/x"])
    assert (own.run, own.path, own.kind) == ("mine:chat", ["/home/x"], "bot")
    assert plan.client_told(Wish("bob"), told, []).run == told.bot.run
    assert plan.client_told(Wish("bob", "human"), told, []).kind == "human"
