import socket
import threading
import xmlrpc.client

import pytest

from chitty.core.errors import NotRunning
from chitty.stack.supervisor import Fault, Supervisor, Undelivered


class Answering:
    """Something that listens at a unix socket and answers each request with the next of its answers."""

    def __init__(self, path):
        self.path = path
        self.answers: list[bytes] = []
        self.requests: list[bytes] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def will_answer(self, value, status="200 OK"):
        body = xmlrpc.client.dumps(value if isinstance(value, xmlrpc.client.Fault) else (value,), methodresponse=True)
        self.answers.append(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body.encode())}\r\n\r\n".encode() + body.encode()
        )

    def asked(self, number=0):
        return xmlrpc.client.loads(self.requests[number].partition(b"\r\n\r\n")[2])

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(65536)
                while b"</methodCall>" not in request:
                    request += connection.recv(65536)
                self.requests.append(request)
                if self.answers:
                    connection.sendall(self.answers.pop(0))


@pytest.fixture
def there(tmp_path):
    answering = Answering(tmp_path / "s.sock")
    yield answering
    answering.close()


def test_a_call_is_in_supervisors_namespace_unless_it_names_one(there):
    supervisor = Supervisor(there.path)
    there.will_answer({"pid": 7})
    assert supervisor.call("getProcessInfo", "bob") == {"pid": 7}
    assert there.asked() == (("bob",), "supervisor.getProcessInfo")
    there.will_answer("x")
    supervisor.call("chitty.programs")
    assert there.asked(1)[1] == "chitty.programs"


def test_a_fault_has_its_code(there):
    there.will_answer(xmlrpc.client.Fault(70, "NOT_RUNNING: bob"))
    with pytest.raises(Fault, match="NOT_RUNNING: bob") as caught:
        Supervisor(there.path).call("stopProcess", "bob")
    assert caught.value.code == 70


def test_several_calls_are_one_and_a_fault_stands_in_its_place(there):
    there.will_answer([True, {"faultCode": 10, "faultString": "BAD_NAME: x"}, {"pid": 3}])
    results = Supervisor(there.path).multicall([("a", 1), ("b",), ("c", "x", False)])
    assert results[0] is True
    assert isinstance(results[1], Fault)
    assert results[2] == {"pid": 3}
    ((calls,), method) = there.asked()
    assert method == "system.multicall"
    assert calls[2] == {"methodName": "supervisor.c", "params": ["x", False]}


def test_no_calls_are_no_call(tmp_path):
    assert Supervisor(tmp_path / "nothing").multicall([]) == []


def test_nobody_there_is_not_running(tmp_path):
    supervisor = Supervisor(tmp_path / "s.sock")
    with pytest.raises(NotRunning):
        supervisor.call("getState")
    assert not supervisor.answers()


def test_a_stale_socket_is_not_running(tmp_path):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "s.sock"))
    with pytest.raises(NotRunning):
        Supervisor(tmp_path / "s.sock").call("getState")


def test_one_that_ends_while_it_answers_is_not_running(there):
    with pytest.raises(NotRunning):
        Supervisor(there.path).call("getState")


def test_one_that_fails_while_it_answers_may_have_done_it(there):
    there.will_answer("", status="500 Internal Server Error")
    with pytest.raises(Undelivered, match="500"):
        Supervisor(there.path).call("sendProcessStdin", "bob", "x\n")


def test_one_that_does_not_answer_in_time_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s.sock"))
        silent.listen()
        with pytest.raises(Undelivered, match="did not answer within"):
            Supervisor(tmp_path / "s.sock", timeout=0.05).call("getState")
        assert not Supervisor(tmp_path / "s.sock", timeout=0.05).answers()


def test_nobody_runs_at_a_path_that_no_socket_can_have(tmp_path):
    supervisor = Supervisor(tmp_path / ("d" * 200))
    with pytest.raises(NotRunning):
        supervisor.call("getState")
    assert not supervisor.answers()


def test_one_that_is_not_the_one_meant_is_asked_for_nothing_but_its_pid(there):
    there.will_answer(41)
    with pytest.raises(NotRunning):
        Supervisor(there.path, lambda pid: pid != 41).call("shutdown")
    assert there.asked() == ((), "supervisor.getPID")


def test_the_one_that_is_meant_is_asked_for_its_pid_once(there):
    supervisor = Supervisor(there.path, lambda pid: pid == 41)
    for answer in (41, {"pid": 7}, {"pid": 8}):
        there.will_answer(answer)
    assert supervisor.call("getProcessInfo", "bob") == {"pid": 7}
    assert supervisor.call("getProcessInfo", "eve") == {"pid": 8}
