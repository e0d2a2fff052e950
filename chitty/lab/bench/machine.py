"""Which machine this is, and which versions are measured. Names no host and no path."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from chitty import __version__
from chitty.lab.bench.processes import nats_program
from chitty.lab.bench.results import Machine

_PACKAGES = ("grpcio", "protobuf", "supervisor", "msgspec")


def describe() -> Machine:
    """Return what this machine is."""
    versions = {"chitty-chat": __version__, "python": platform.python_version()}
    versions |= {package: importlib.metadata.version(package) for package in _PACKAGES}
    program = nats_program()
    if program is not None:
        versions["nats-server"] = _nats_version(program)
    return Machine(_processor(), os.cpu_count() or 1, _memory(), f"{platform.system()} {_release()}", versions)


def _nats_version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - found by us
    return done.stdout.strip().rpartition("v")[2] or "unknown"


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return "unknown"


def _release() -> str:
    return ".".join(platform.release().split("-")[0].split(".")[:2])


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
