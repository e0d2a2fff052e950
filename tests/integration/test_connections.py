"""Real stacks in an environment that would lead connections astray, and addresses that can never work."""

from collections.abc import Iterator

import pytest
import yaml

from tests.integration.launching import Stack
from tests.proxies import VARIABLES, Recording, recording_apart

SECRET = "correct-horse-battery-staple"


@pytest.fixture
def stack(tmp_path):
    one = Stack(tmp_path / ".chitty")
    yield one
    one.end()


@pytest.fixture
def proxy(stack) -> Iterator[Recording]:
    with recording_apart() as found:
        for name in ("no_proxy", "no_grpc_proxy"):
            stack.environment.pop(name, None)
        stack.environment |= found.environment(*VARIABLES)
        yield found


def config(stack: Stack, **sections: object) -> str:
    path = stack.cwd / "mine.yaml"
    path.write_text(yaml.safe_dump(sections))
    return str(path)


@pytest.mark.parametrize("start", ["fork", "exec"])
def test_a_stack_uses_no_proxy_of_its_environment(stack, proxy, start):
    stack.environment["CHITTY_SECRET"] = SECRET
    stack.up("--clients", "bob", "--config", config(stack, clients={"start": start}))
    stack.run("join", "alice", "--human")
    stack.run("say", "alice", "hello")
    assert stack.joined() == {"alice", "bob"}
    assert "zoe joined" in stack.run("chat", "zoe", stdin="hello\n")
    address = stack.status()["server"]["address"]
    assert "zoe joined" in stack.run("chat", "zoe", "--server", address, stdin="hello\n")
    assert proxy.seen == []


def test_doctor_names_the_proxy_that_is_not_used(stack, proxy):
    said = stack.run("doctor")
    named = ", ".join(sorted(VARIABLES))
    assert f"ok  {named} set: chitty uses no proxy, it always connects to the server directly" in said
    assert proxy.address not in said, "a proxy's URL may have a password"
    for name in VARIABLES:
        del stack.environment[name]
    assert "uses no proxy" not in stack.run("doctor")


@pytest.mark.parametrize("start", ["fork", "exec"])
def test_a_trace_of_grpc_is_not_in_the_logs_for_it_has_the_secret(stack, start):
    stack.environment |= {"GRPC_TRACE": "all", "GRPC_VERBOSITY": "DEBUG", "CHITTY_SECRET": SECRET}
    stack.up("--clients", "bob", "--config", config(stack, clients={"start": start}))
    stack.run("down")
    written = {path: path.read_bytes() for path in stack.layout.directory.rglob("*") if path.is_file()}
    assert [path for path, content in written.items() if SECRET.encode() in content] == []
    assert b"chttp2" not in stack.layout.log("bob").read_bytes()


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.1", "http://h:1", "", ":1", "h:abc", "[::1", "::1:5"])
def test_chat_refuses_an_address_that_can_never_work(stack, address):
    said = stack.run("chat", "zoe", "--server", address, expect=2)
    assert f"Invalid value for '--server': {address!r} is not an address: " in said
    assert said.rstrip().endswith("use HOST:PORT such as chat.example:5051 or [::1]:5051, or unix:/PATH")


@pytest.mark.parametrize("host", ["127.0.0.1:5051", "http://h", "10.0.0.256", "[::1]"])
def test_up_refuses_a_host_that_is_not_an_address(stack, host):
    said = stack.up("--config", config(stack, server={"host": host}), expect=1)
    assert f"cannot listen on {host!r}: it is not an address" in said
    assert not stack.layout.pidfile.exists()


@pytest.mark.parametrize(
    ("host", "written"), [("127.1", "127.0.0.1"), ("LOCALHOST.", "localhost"), ("::0001", "[::1]")]
)
def test_a_host_is_published_as_others_can_call_it(stack, host, written):
    stack.up("--config", config(stack, server={"host": host}), "--clients", "bob")
    assert stack.status()["server"]["address"].rpartition(":")[0] == written
    assert stack.joined() == {"bob"}
