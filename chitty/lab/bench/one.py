"""One participant's process, started as the launcher does, but that its log is the bench's own."""

import sys
from pathlib import Path

import msgspec

from chitty import resources, settings
from chitty.lab.bench.processes import Child
from chitty.settings import Program

NAME = "reader"


def one_participant(folder: Path, address: str, rate: float = 0.0) -> Child:
    """Start a participant that reads, and, with a rate, says so many messages a second.

    It has joined once its log has a line with ` deliver `.
    """
    default = settings.read(resources.path("conf/chitty.yaml"))
    program = Program(
        name=NAME,
        kind="bot" if rate else "human",
        run=default.bot.run,
        bot=msgspec.structs.replace(default.bot, rate=rate or default.bot.rate),
        keepalive=default.server.keepalive,
        path=[],
        server=address,
    )
    told = folder / f"{NAME}.json"
    told.write_text(settings.encode(program), encoding="utf-8")
    return Child([sys.executable, "-P", "-m", "chitty.client", told.name], folder, NAME)
