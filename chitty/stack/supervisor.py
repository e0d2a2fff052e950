"""Calls to supervisord: XML-RPC over its unix socket. Knows no participant.

The standard library does the encoding; supervisor's own package is not imported, for it takes longer to
import than a call takes.
"""

import http.client
import os
import socket
import xmlrpc.client
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chitty.core.errors import NotRunning, StackError

TIMEOUT = 10.0
"""Seconds that supervisord has to answer; it is one loop, and answers in milliseconds."""

# Fault codes of supervisor.xmlrpc.Faults.
ALREADY_STARTED = 60
NOT_RUNNING = 70


class Fault(StackError):
    """Supervisord refused a call; `code` is one of its fault codes."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"supervisord refused: {text}")
        self.code = code


class Undelivered(StackError):
    """Supervisord failed while it answered, and what it was told may have been done all the same."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


class Supervisor:
    """One supervisord, reached by its socket; a connection a call, so that none is held across its end."""

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        self._path = path
        self._timeout = timeout

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method, `supervisor.` before it unless it names another namespace.

        Raises:
            NotRunning: nobody listens at the socket.
            Fault: supervisord refused.
            Undelivered: it failed while answering.
        """
        full = method if "." in method else f"supervisor.{method}"
        body = xmlrpc.client.dumps(arguments, full).encode("utf-8", "surrogatepass")
        try:
            ((result,), _) = xmlrpc.client.loads(self._post(body))
        except xmlrpc.client.Fault as fault:
            raise Fault(fault.faultCode, fault.faultString) from None
        return result

    def multicall(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call several methods in one round; a Fault stands in its place among the results."""
        if not calls:
            return []
        named = [{"methodName": f"supervisor.{method}", "params": list(arguments)} for method, *arguments in calls]
        results = self.call("system.multicall", named)
        return [
            Fault(result["faultCode"], result["faultString"])
            if isinstance(result, dict) and "faultCode" in result
            else result
            for result in results
        ]

    def answers(self) -> bool:
        """Tell whether supervisord is there."""
        try:
            self.call("getState")
        except (NotRunning, Undelivered, Fault):  # a Fault: it is shutting down
            return False
        return True

    def _post(self, body: bytes) -> bytes:
        connection = _Connection(self._path, self._timeout)
        try:
            connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
            response = connection.getresponse()
            answer = response.read()
        except TimeoutError:
            raise Undelivered(f"supervisord did not answer within {self._timeout:g} s: see `chitty doctor`") from None
        except (FileNotFoundError, NotADirectoryError, ConnectionError, http.client.HTTPException):
            raise NotRunning("no stack runs here: `chitty up` starts one") from None
        except OSError as error:
            raise StackError(f"cannot reach supervisord at {self._path}: {error.strerror}") from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise Undelivered(f"supervisord failed to answer: HTTP {response.status} {response.reason}")
        return answer
