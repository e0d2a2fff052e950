"""Who may come into a real stack, and what of it anybody else can see: certificates, secrets, files, sockets."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from chitty import process
from chitty.stack import leftovers
from tests.certificates import folder, tls
from tests.integration.launching import Stack
from tests.waiting import eventually

SECRET = "correct-horse-battery-staple"

SPY = """
async def spy(me):
    open({path!r}, "w").write(me._secret)
    me.drop_events()
    await me.publish("hello")
    try:
        await me.publish("x" * 129)
    except Exception as error:
        print("printed", error, vars(me), locals())
    raise RuntimeError("a crash with a traceback")
"""


@pytest.fixture
def stack(tmp_path):
    one = Stack(tmp_path / ".chitty")
    one.environment.pop("CHITTY_SECRET", None)
    yield one
    one.end()


def config(stack: Stack, **sections: object) -> Path:
    path = stack.cwd / "mine.yaml"
    path.write_text(yaml.safe_dump(sections))
    return path


def everything(stack: Stack) -> dict[Path, bytes]:
    """All that a stack has written."""
    return {path: path.read_bytes() for path in stack.layout.directory.rglob("*") if path.is_file()}


def processes(stack: Stack) -> list[int]:
    return [stack.supervisor(), *(pid for pid in leftovers.find(stack.layout, None) if pid != stack.supervisor())]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_stack_with_mutual_tls_from_its_start_to_its_end(stack):
    made = folder(stack.cwd / "certs", "bob", "Zo\u00eb")
    told = config(
        stack,
        # relative to the file: a stack's settings can be moved with its certificates
        server={"tls": {"cert": "certs/server.crt", "key": "certs/server.key", "client_ca": "certs/ca.crt"}},
        clients={"tls": {"certs": "certs"}},
    )
    said = stack.up("--config", told, "--clients", "bob,carol", expect=2)
    assert f"no certificate for carol in {made.clients}" in said
    assert "carol` makes it" in said
    assert not stack.layout.settings.exists(), "nothing was started"
    stack.up("--config", told, "--clients", "bob,Zo\u00eb")
    assert stack.joined() == {"bob", "Zo\u00eb"}
    said = stack.run("join", "alice", expect=2)
    assert f"no certificate for alice in {made.clients}" in said
    assert f"`chitty certs {made.directory} alice` makes it" in said
    folder(stack.cwd / "certs", "alice")
    stack.run("join", "alice", "--human")
    assert "said at Lamport time" in stack.run("say", "alice", "hello")
    said = stack.run("chat", "eve", expect=2)
    assert f"`chitty certs {made.directory} eve` makes it" in said
    stack.run("certs", made.directory, "eve")
    assert "eve joined" in stack.run("chat", "eve", stdin="hello\n")
    address = str(stack.status()["server"]["address"])
    assert "eve joined" in stack.run("chat", "eve", "--server", address, "--certs", made.directory, stdin="hello\n")
    eve = made.client("eve")
    shown = ("--ca", made.authority.cert, "--cert", eve.cert, "--key", eve.key)
    assert "eve joined" in stack.run("chat", "eve", "--server", address, *shown, stdin="hello\n")
    assert "names 'eve', and may not be 'bo'" in stack.run("chat", "bo", "--server", address, *shown, expect=1)
    stack.run("restart", "server")
    assert eventually(lambda: stack.joined() == {"alice", "bob", "Zo\u00eb"})
    stack.run("leave", "bob")
    assert "PRIVATE KEY" not in b"".join(everything(stack).values()).decode("utf-8", "replace")


def test_a_participant_that_does_not_trust_the_service_is_told_why(stack):
    made, others = folder(stack.cwd / "certs"), folder(stack.cwd / "others")
    told = config(stack, server={"tls": tls(made, mutual=False)}, clients={"tls": {"ca": str(others.authority.cert)}})
    said = stack.up("--config", told, "--clients", "bob", expect=1)
    assert "bob was refused: the service's certificate is not to be trusted" in said


def test_a_person_is_told_in_one_line_why_a_service_is_not_trusted(stack):
    made, others = folder(stack.cwd / "certs"), folder(stack.cwd / "others", "eve")
    told = config(stack, server={"tls": tls(made, mutual=False)}, clients={"tls": {"certs": str(made.directory)}})
    stack.up("--config", told, "--clients", "0")
    address = str(stack.status()["server"]["address"])
    said = stack.run("chat", "eve", "--server", address, "--certs", others.directory, expect=1)
    assert said.splitlines() == [
        "-- joining as eve ...",
        (
            "chitty: the service's certificate is not to be trusted, unable to get local issuer certificate:"
            " give the certificate of the authority that signed it (--ca, or clients.tls.ca)"
        ),
    ]
    assert f"cannot read the certificate {made.client('eve').cert}: No such file" in stack.run(
        "chat", "eve", "--server", address, "--cert", made.client("eve").cert, "--key", others.server.key, expect=2
    )
    assert "ok  certificates, keys and secret: usable and private" in stack.run("doctor")
    made.server.key.chmod(0o644)
    assert f"others than you can read {made.server.key}" in stack.run("doctor", expect=1)


def test_a_certificate_of_no_use_is_told_and_nothing_is_left_running(stack):
    made = folder(stack.cwd / "certs", "bob")
    told = config(stack, server={"tls": {**tls(made, mutual=False), "key": str(made.client("bob").key)}})
    said = stack.up("--config", told, expect=1)
    assert f"the private key {made.client('bob').key} is not that of the certificate {made.server.cert}" in said
    assert stack.run("status", expect=3)


@pytest.mark.parametrize("kept", ["environment", "file"])
def test_a_secret_lets_the_stacks_own_in_and_is_written_nowhere(stack, kept):
    arguments = []
    if kept == "environment":
        stack.environment["CHITTY_SECRET"] = SECRET
    else:
        (stack.cwd / "secret").write_text(SECRET + "\n")
        arguments = ["--config", config(stack, server={"secret_file": "secret"})]
    stack.up("--clients", "bob", *arguments)
    stack.environment.pop("CHITTY_SECRET", None)
    stack.run("join", "alice", "--human")
    stack.run("say", "alice", "hello")
    assert stack.joined() == {"alice", "bob"}
    assert not [path for path, content in everything(stack).items() if SECRET.encode() in content]
    for pid in processes(stack):
        assert SECRET.encode() not in leftovers.command_line(pid)
    assert ('"secret_file": ""' in stack.layout.client("alice").read_text()) is (kept == "environment")
    if kept == "environment":
        said = stack.run("chat", "eve", expect=1)
        assert "asks for a secret" in said
        assert "CHITTY_SECRET" in said
        stack.environment["CHITTY_SECRET"] = "guess"
        assert "not that of the service" in stack.run("chat", "eve", expect=1)
        (stack.cwd / "another").write_text(SECRET)
        assert "eve joined" in stack.run("chat", "eve", "--secret-file", stack.cwd / "another", stdin="hello\n")
        stack.environment["CHITTY_SECRET"] = SECRET
    assert "eve joined" in stack.run("chat", "eve", stdin="hello\n")
    assert SECRET.encode() not in b"".join(everything(stack).values())


def test_beyond_the_loopback_a_stack_is_refused_and_nothing_is_left_running(stack):
    said = stack.up("--config", config(stack, server={"host": "0.0.0.0"}), expect=1)
    assert "refusing to listen on 0.0.0.0, beyond the loopback, without TLS" in said
    assert "--insecure" in said
    stack.run("status", expect=3)
    assert not leftovers.find(stack.layout, None)


def test_one_may_listen_beyond_it_if_told_to(stack):
    stack.environment["CHITTY_SECRET"] = SECRET
    stack.up("--config", config(stack, server={"host": "0.0.0.0"}), "--clients", "bob", "--insecure")
    assert stack.joined() == {"bob"}
    assert "WARNING hub - insecure: listening on 0.0.0.0" in stack.layout.log("server").read_text()
    stack.run("join", "alice")
    stack.run("restart", "server")
    assert eventually(lambda: stack.joined() == {"alice", "bob"})


def test_all_that_a_stack_makes_is_private_whatever_the_umask_and_the_directory_were(stack):
    stack.layout.directory.mkdir()
    stack.layout.directory.chmod(0o777)
    old = os.umask(0)
    try:
        stack.up("--clients", "bob", "--human", "bob")
        stack.run("join", "alice")
        stack.run("say", "bob", "hello")
        stack.run("kill", "alice")
        stack.run("leave", "alice")
        look = [stack.layout.directory, *stack.layout.directory.rglob("*")]
        found = {path: mode(path) for path in look}
        stack.run("down")
        stack.up("--fresh")
        found |= {path: mode(path) for path in stack.layout.directory.rglob("*")}
    finally:
        os.umask(old)
    assert {path: oct(bits) for path, bits in found.items() if bits & 0o077} == {}
    assert found[stack.layout.directory] == 0o700
    assert found[stack.layout.directory / "chitty.db"] == 0o600
    assert found[stack.layout.socket()] == 0o600
    assert any(path.parent.parent.name == "archive" for path in found)


def test_the_socket_of_supervisord_is_the_only_control_surface(stack):
    stack.up("--clients", "bob")
    assert mode(stack.layout.socket()) == 0o600
    text = "".join(path.read_text() for path in [stack.layout.config, *stack.layout.programs.iterdir()])
    assert "inet_http_server" not in text
    assert text.count("_http_server]") == 1
    listening = {pid: _listening(pid) for pid in [stack.supervisor(), stack.pid("server"), stack.pid("bob")]}
    port = int(process.read_ready(stack.layout.ready / "server")["address"].rpartition(":")[2])
    assert listening == {stack.supervisor(): set(), stack.pid("server"): {port}, stack.pid("bob"): set()}
    elsewhere = subprocess.run(["ss", "-xlpn"], capture_output=True, text=True, check=False).stdout
    assert elsewhere.count(f"pid={stack.supervisor()},") <= 1


def test_no_session_is_ever_written_not_even_by_a_crash(stack):
    found = stack.cwd / "session"
    (stack.cwd / "spying.py").write_text(SPY.format(path=str(found)))
    stack.up("--clients", "0")
    stack.call("join", "spy", "--bot", "spying:spy")
    eventually(lambda: "a crash with a traceback" in stack.layout.log("spy").read_text())
    session = found.read_text()
    assert len(session) == 32
    written = everything(stack)
    own = written.pop(stack.layout.log("spy")).decode()
    assert "printed the message has 129 characters" in own
    lines = [line for line in own.splitlines() if session in line]
    assert all(" - printed" in line for line in lines), "but what a bot prints of itself"
    assert not [path for path, content in written.items() if session.encode() in content]


def _listening(pid: int) -> set[int]:
    """The TCP ports that a process listens on (proc(5), net/tcp)."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(descriptor.readlink()))
        except OSError:
            continue
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
