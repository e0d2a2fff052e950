"""The service as a process: `python -m chitty.server [--insecure] [SETTINGS.json]`.

Without settings it runs with those of conf/chitty.yaml. `--insecure` listens beyond the loopback whatever guards
the way in, as the setting of that name does. The join secret is in CHITTY_SECRET, or the settings name its file.
In a stack's directory it says in ready/server where it listens; SIGTERM drains it.
"""

import asyncio
import contextlib
import functools
import logging
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from chitty import output, process, resources, settings
from chitty.core.errors import ChittyError, SettingsError, cause
from chitty.journal import HUB
from chitty.server.service import Service
from chitty.settings import Server
from chitty.wire import secret

READY = Path("ready/server")
PORT = Path("ready/.server.port")
"""Where it listens, for its next life: what is in READY is gone when that begins."""

_logger = logging.getLogger(f"chitty.{HUB}")


def _publish_ready(**facts: str) -> None:
    process.write_ready(READY, **facts)


def _earlier_port() -> int:
    """Return where the stack's server listened in its last life, or 0."""
    return int(process.read_ready(PORT).get("port", 0))


async def serve(options: Server) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        CannotListen: the address cannot be bound, or it would let strangers in.
        SettingsError: a certificate, key or secret is not usable.
        StorageFailed: the database cannot be used.
    """
    stopping: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def stop(name: str) -> None:
        if not stopping.done():
            stopping.set_result(name)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, functools.partial(stop, number.name))

    def publish(trouble: str = "", health: str = "SERVING") -> None:
        _publish_ready(address=service.address, epoch=service.epoch, health=health, trouble=trouble)

    service = Service(options, publish, secret.read(options.secret_file), _earlier_port())
    await service.start()
    publish()
    process.write_ready(PORT, port=int(service.address.rpartition(":")[2]))
    service.applying.add_done_callback(lambda _: stop("the ordered log broke"))
    name = await stopping
    publish(health="NOT_SERVING")
    await service.stop(name)


def _settings(arguments: list[str]) -> Server:
    if "--insecure" in arguments:
        rest = [argument for argument in arguments if argument != "--insecure"]
        return msgspec.structs.replace(_settings(rest), insecure=True)
    if not arguments:
        return settings.read(resources.path("conf/chitty.yaml")).server
    path = Path(arguments[0])
    try:
        return settings.decode(path.read_bytes(), Server, str(path))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {cause(error)}") from None


def _use_all_descriptors() -> None:
    """Let this process have as many open files as it may: every connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> int:
    """Run the process; return its exit code."""
    if os.environ.get("SUPERVISOR_ENABLED"):
        process.end_with_parent()
    _use_all_descriptors()
    output.log_to_stdout(HUB)
    try:
        asyncio.run(serve(_settings(sys.argv[1:])))
    except ChittyError as error:
        _logger.error("%s", error)
        _publish_ready(failed=str(error))
        process.linger()
        return 1
    except Exception:
        _logger.exception("the service failed")
        process.linger()
        return 1
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
