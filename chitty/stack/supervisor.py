"""Calls to supervisord: XML-RPC over its unix socket. Knows no participant.

Neither supervisor's own package nor the standard library's HTTP is imported: that takes longer than a call.
"""

import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chitty.core.errors import NotRunning, StackError, cause
from chitty.stack import xmlrpc

TIMEOUT = 10.0
"""Seconds that supervisord has to answer; it is one loop, and answers in milliseconds."""

# Fault codes of supervisor.xmlrpc.Faults.
ALREADY_STARTED = 60
NOT_RUNNING = 70

_REQUEST = b"POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
_NOBODY = "no stack runs here: `chitty up` starts one"


class Fault(StackError):
    """Supervisord refused a call; `code` is one of its fault codes."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"supervisord refused: {text}")
        self.code = code


class Undelivered(StackError):
    """Supervisord failed while it answered, and what it was told may have been done all the same."""


class Supervisor:
    """One supervisord, reached by its socket; a connection a call, so that none is held across its end.

    Args:
        path: its socket.
        is_meant: tells by its pid whether it is the one that is meant, before it is asked for anything: a socket may
            be a hard link in a copy of another's directory.
        timeout: seconds that it has to answer.
    """

    def __init__(self, path: Path, is_meant: Callable[[int], bool] | None = None, timeout: float = TIMEOUT) -> None:
        self._path = path
        self._is_meant = is_meant
        self._timeout = timeout

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method, `supervisor.` before it unless it names another namespace.

        Raises:
            NotRunning: nobody listens at the socket, or another one than is meant.
            Fault: supervisord refused.
            Undelivered: it failed while answering.
        """
        if self._is_meant is not None:
            if not self._is_meant(self._ask("supervisor.getPID")):
                raise NotRunning(_NOBODY)
            self._is_meant = None
        return self._ask(method if "." in method else f"supervisor.{method}", *arguments)

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

    def _ask(self, method: str, *arguments: Any) -> Any:
        content = self._post(xmlrpc.call(method, arguments))
        try:
            return xmlrpc.answer(content)
        except xmlrpc.Failed as fault:
            raise Fault(fault.code, str(fault)) from None
        except ValueError:  # it ended while it answered
            raise NotRunning(_NOBODY) from None

    def _post(self, body: bytes) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._timeout)
                connection.connect(os.fspath(self._path))
                connection.sendall(_REQUEST % len(body) + body)
                with connection.makefile("rb") as answer:
                    head, ended, content = answer.read().partition(b"\r\n\r\n")  # until it closes the connection
        except TimeoutError:
            raise Undelivered(f"supervisord did not answer within {self._timeout:g} s: see `chitty doctor`") from None
        except (FileNotFoundError, NotADirectoryError, ConnectionError):
            raise NotRunning(_NOBODY) from None
        except OSError as error:
            if error.errno is None:  # the path is longer than any socket's: nobody can listen there
                raise NotRunning(_NOBODY) from None
            raise StackError(f"cannot reach supervisord at {self._path}: {cause(error)}") from None
        if not ended:
            raise NotRunning(_NOBODY)
        status = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")[2]
        if not status.startswith("200 "):
            raise Undelivered(f"supervisord failed to answer: HTTP {status}")
        return content
