"""Settings: what the default file says, what lies over it, and that bad input is named, never a traceback."""

from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chitty import resources, settings
from chitty.core.errors import SettingsError
from chitty.settings import Bot, Keepalive, Program, Server

DEFAULT = resources.path("conf/chitty.yaml")
BASE = DEFAULT.read_text(encoding="utf-8")


def over_default(text: str) -> settings.Settings:
    return settings.load(text, "my.yaml", BASE)


# What a file says.


def test_the_default_file_is_valid_and_whole() -> None:
    told = settings.read(DEFAULT)
    assert (told.server.host, told.server.port) == ("127.0.0.1", 5051)
    assert told.server.port < 32768, "below the ephemeral range"
    assert told.clients.count == 3
    assert told.clients.roster[:8] == ["bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan"]
    assert "alice" not in told.clients.roster, "she is left for `chitty join alice`"
    assert told.logs.max_bytes == 0


def test_a_file_changes_what_it_says_and_keeps_the_rest() -> None:
    told = over_default("server: {port: 0, limits: {participants: 7}}\nbot: {seed: 42}")
    assert told == msgspec.structs.replace(
        settings.read(DEFAULT),
        server=msgspec.structs.replace(
            settings.read(DEFAULT).server,
            port=0,
            limits=msgspec.structs.replace(settings.read(DEFAULT).server.limits, participants=7),
        ),
        bot=msgspec.structs.replace(settings.read(DEFAULT).bot, seed=42),
    )


def test_a_list_replaces_a_list() -> None:
    assert over_default("clients: {roster: [zoe]}").clients.roster == ["zoe"]


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n", "server: {}\n", "server: {limits: {}}"])
def test_a_file_that_says_nothing_changes_nothing(text: str) -> None:
    assert over_default(text) == settings.read(DEFAULT)


def test_a_file_is_read_over_another(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("bot:\n  phrases: [gruß, \U0001f600]\n", encoding="utf-8")
    assert settings.read(mine, DEFAULT).bot.phrases == ["gruß", "\U0001f600"]


# What is refused, and by which name.


@pytest.mark.parametrize(
    ("text", "setting", "why"),
    [
        ("sever: {port: 1}", "", "unknown field `sever`"),
        ("server: {prot: 1}", "server", "unknown field `prot`"),
        ("server: {limits: {people: 1}}", "server.limits", "unknown field `people`"),
        ("server: 1", "server", "expected `object`, got `int`"),
        ("server: null", "server", "expected `object`, got `null`"),
        ("server: {1: 2}", "server", "expected `str` as a key"),
        ("server: {port: null}", "server.port", "expected `int`, got `null`"),
        ('server: {port: "5051"}', "server.port", "expected `int`, got `str`"),
        ("server: {port: 5051.5}", "server.port", "expected `int`, got `float`"),
        ("server: {port: true}", "server.port", "expected `int`, got `bool`"),
        ("server: {port: -1}", "server.port", "expected `int` >= 0"),
        ("server: {port: 65536}", "server.port", "expected `int` <= 65535"),
        ('server: {host: ""}', "server.host", "expected `str` matching"),
        ('server: {host: "a b"}', "server.host", "expected `str` matching"),
        ('server: {host: "a\\n"}', "server.host", "expected `str` matching"),
        ("server: {sequencer: raft}", "server.sequencer", "invalid enum value 'raft'"),
        ("server: {drain: 0}", "server.drain", "expected `float` > 0"),
        ("server: {drain: .inf}", "server.drain", "expected `float` <= 86400"),
        ("server: {drain: .nan}", "server.drain", "expected `float`"),
        ("server: {limits: {participants: 0}}", "server.limits.participants", "expected `int` >= 1"),
        ("server: {limits: {messages_per_request: 4097}}", "server.limits.messages_per_request", "<= 4096"),
        ("server: {limits: {request_bytes: 2147483648}}", "server.limits.request_bytes", "<= 2147483647"),
        ("server: {limits: {metadata_bytes: 1023}}", "server.limits.metadata_bytes", ">= 1024"),
        ("server: {window: {events: 0}}", "server.window.events", ">= 1"),
        ("server: {window: {bytes: 65535}}", "server.window.bytes", ">= 65536"),
        ("server: {keepalive: {interval: -1}}", "server.keepalive.interval", "> 0"),
        ("server: {keepalive: {timeout: soon}}", "server.keepalive.timeout", "expected `float`, got `str`"),
        ("clients: {count: -1}", "clients.count", ">= 0"),
        ("clients: {roster: [bob, a b]}", "clients: roster", "name 'a b' has ' '"),
        ("clients: {roster: [hub]}", "clients: roster", "name 'hub' is reserved"),
        ('clients: {roster: ["a - at `$b"]}', "clients: roster", "name 'a - at `$b' has ' '"),
        ("clients: {roster: bob}", "clients.roster", "expected `array`, got `str`"),
        ("clients: {roster: [1]}", "clients.roster[0]", "expected `str`, got `int`"),
        ("bot: {rate: 0}", "bot.rate", "> 0"),
        ("bot: {rate: 1001}", "bot.rate", "<= 1000"),
        ("bot: {seed: 9223372036854775808}", "bot.seed", "<= 9223372036854775807"),
        ("bot: {seed: lucky}", "bot.seed", "expected `int | null`, got `str`"),
        ("bot: {phrases: []}", "bot.phrases", "length >= 1"),
        ('bot: {phrases: [hello, ""]}', "bot: phrases", "the message is empty"),
        (f"bot: {{phrases: [{'a' * 129}]}}", "bot: phrases", "129 characters"),
        ('bot: {phrases: ["\\ud800"]}', "bot: phrases", "lone surrogate"),
        ("bot: {run: mine}", "bot: run", "'mine' is not of the form package.module:function"),
        ('bot: {run: "mine:"}', "bot: run", "not of the form"),
        ("logs: {max_bytes: -1}", "logs.max_bytes", ">= 0"),
        ("logs: {backups: 1.5}", "logs.backups", "expected `int`, got `float`"),
    ],
)
def test_a_bad_setting_is_named(text: str, setting: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        over_default(text)
    said = str(refused.value)
    assert said.startswith(f"my.yaml, setting {setting}: " if setting else "my.yaml: ")
    assert why in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("server: {port: 1", "my.yaml is not YAML at line 1"),
        ("bot:\n  rate: 1\n rate: 2", "my.yaml is not YAML at line 3"),
        ("server:\n\tport: 1", "my.yaml is not YAML at line 2"),
        ("a: 1\n--- \nb: 2", "my.yaml is not YAML at line 2: but found another document"),
        ("? {a: b}\n: c", "my.yaml is not YAML at line 1: found unhashable key"),
        ("a: !!python/name:os.system", "my.yaml is not YAML at line 1: could not determine a constructor"),
        ("a: *nobody", "my.yaml is not YAML at line 1: found undefined alias"),
        ("\x00", "my.yaml is not YAML: unacceptable character #x0000"),
        ("a: 2026-13-45", "my.yaml is not usable as YAML: month must be in 1..12"),
        ("a: !!timestamp soon", "my.yaml is not usable as YAML"),
        ("a: !!int ''", "my.yaml is not usable as YAML"),
        ("a: !!bool perhaps", "my.yaml is not usable as YAML"),
        ("a: !!float x", "my.yaml is not usable as YAML"),
        ('"\\UFFFFFFFF": 1', "my.yaml is not usable as YAML"),
        ("[" * 5000, "my.yaml is not usable as YAML: maximum recursion depth"),
        ("- server", "my.yaml holds a list: settings are sections such as `server:`"),
        ("server", "my.yaml holds a str: settings are sections"),
        ("42", "my.yaml holds a int: settings are sections"),
        ("&a {server: *a}", "my.yaml, setting server: object contains unknown field `server`"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_yaml_of_settings_is_said_to_be_none(text: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        over_default(text)
    assert str(refused.value).startswith(why)


def test_without_a_base_everything_must_be_said() -> None:
    assert settings.load(BASE, "whole.yaml") == settings.read(DEFAULT)
    with pytest.raises(SettingsError, match=r"^whole\.yaml: object missing required field `server`$"):
        settings.load("", "whole.yaml")
    with pytest.raises(SettingsError, match=r"^whole\.yaml, setting server: object missing required field `port`$"):
        settings.load(BASE.replace("port: 5051", ""), "whole.yaml")


def test_an_error_of_the_base_is_not_blamed_on_the_file_above() -> None:
    with pytest.raises(SettingsError, match=r"^the default settings is not YAML"):
        settings.load("", "my.yaml", "server: [")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.yaml"
    with pytest.raises(SettingsError, match=r"cannot read .*absent\.yaml: No such file or directory"):
        settings.read(absent, DEFAULT)
    with pytest.raises(SettingsError, match=r"cannot read .*: Is a directory"):
        settings.read(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("bot: {phrases: [gruß]}".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"latin\.yaml is not UTF-8 at byte 19"):
        settings.read(latin)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates()
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3), max_leaves=8
)
keys = ["server", "clients", "bot", "logs", "port", "drain", "limits", "roster", "phrases", "seed", "count", "host"]
shaped = st.dictionaries(st.sampled_from(keys), plain | st.dictionaries(st.sampled_from(keys), plain, max_size=3))
written = st.one_of(
    st.text(),
    st.text('server: {bot}[port]-&*a!"\\x0|>\n\t#%@`,?', max_size=40),
    st.sampled_from(["int", "float", "bool", "timestamp", "binary", "set", "omap", "null", "merge", "value"]).flatmap(
        lambda tag: st.text(max_size=6).map(f"server: !!{tag} ".__add__)
    ),
    shaped.map(lambda value: yaml.safe_dump(value, allow_unicode=True)),
)


@given(written)
def test_any_text_is_settings_or_a_settings_error(text: str) -> None:
    try:
        told = over_default(text)
    except SettingsError:
        return
    assert settings.load(settings.dump(told), "again") == told


# Paths.


def test_paths_are_of_the_folder_of_their_file(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/home/zoe")
    told = over_default(
        "server: {secret_file: ~/secret, tls: {cert: certs/a.crt, key: /etc/a.key}}\nclients: {tls: {certs: ../certs}}"
    )
    found = settings.located(told, Path("/etc/chitty"))
    assert found.server.secret_file == "/home/zoe/secret"
    assert (found.server.tls.cert, found.server.tls.key) == ("/etc/chitty/certs/a.crt", "/etc/a.key")
    assert found.server.tls.client_ca == "", "nothing stays nothing"
    assert found.clients.tls.certs == "/etc/chitty/../certs"
    assert settings.located(found, Path("/elsewhere")) == found
    with pytest.raises(SettingsError, match="begins with the home directory of nobody here"):
        settings.located(over_default("server: {secret_file: ~nobody-at-all/secret}"), Path("/etc"))


@pytest.mark.parametrize("tls", ["{cert: a}", "{key: a}", "{client_ca: a}"])
def test_certificates_that_do_not_go_together_are_told(tls) -> None:
    with pytest.raises(SettingsError, match=r"my\.yaml, setting server\.tls: "):
        over_default(f"server: {{tls: {tls}}}")


# How settings reach a process.

hosts = st.sampled_from(["127.0.0.1", "::1", "0.0.0.0", "localhost"])
phrases = st.lists(st.text(min_size=1, max_size=128), min_size=1, max_size=4)
seeds = st.none() | st.integers(-(2**63), 2**63 - 1)
bots = st.builds(Bot, rate=st.floats(0.001, 1000), seed=seeds, phrases=phrases, run=st.just("my.own:chatter"))


@given(bots, hosts, st.integers(0, 65535), st.lists(st.sampled_from(["bob", "ålice", "玉子"])))
def test_what_is_dumped_is_loaded_again(bot: Bot, host: str, port: int, roster: list[str]) -> None:
    told = settings.read(DEFAULT)
    told = msgspec.structs.replace(
        told,
        bot=bot,
        server=msgspec.structs.replace(told.server, host=host, port=port),
        clients=msgspec.structs.replace(told.clients, roster=roster),
    )
    assert settings.load(settings.dump(told), "dumped") == told


def test_what_is_dumped_is_for_people_to_read() -> None:
    assert "phrases:\n  - gruß\n  - 'no: thanks'\n" in settings.dump(
        over_default("bot: {phrases: [gruß, 'no: thanks']}")
    )


@given(bots, st.sampled_from(["bot", "human"]), st.lists(st.text(max_size=5)))
def test_what_is_encoded_for_a_process_is_decoded_there(bot: Bot, kind: str, path: list[str]) -> None:
    told = Program(
        name="ålice",
        kind=kind,
        run="my.own:chatter",
        bot=bot,
        keepalive=Keepalive(interval=20.0, timeout=10.0),
        path=path,
        server="127.0.0.1:5051",
    )
    written = settings.encode(told)
    assert settings.decode(written, Program, "clients/alice.json") == told
    assert settings.decode(written.encode(), Program, "clients/alice.json") == told


def test_the_server_is_told_its_section() -> None:
    server = settings.read(DEFAULT).server
    assert settings.decode(settings.encode(server), Server, "server.json") == server


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "server.json is not JSON"),
        ("{", "server.json is not JSON"),
        (b"\xff", "server.json is not JSON"),
        ("[]", "server.json: expected `object`, got `array`"),
        ("{}", "server.json: object missing required field `host`"),
    ],
)
def test_what_is_not_told_well_is_said_to_be_bad(text: str | bytes, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.decode(text, Server, "server.json")
    assert str(refused.value).startswith(why)
