"""What was done to the processes of a stack: paused, killed. From what its supervisor noted, beside the logs.

Only drawings use it: it proves nothing. A folder of logs alone has no such notes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chitty.trace.history import Life

_NOTES = "events.jsonl"


@dataclass(frozen=True, slots=True)
class Pause:
    """A process was frozen; `until` is empty when it was never let go on. Wall times."""

    since: str
    until: str


@dataclass(slots=True)
class Faults:
    """What happened to processes, by pid."""

    pauses: dict[int, list[Pause]] = field(default_factory=dict)
    deaths: dict[int, str] = field(default_factory=dict)

    def pauses_of(self, life: Life) -> list[Pause]:
        """Return when the process was frozen in this life."""
        return self.pauses.get(life.start.says.pid, []) if life.start else []

    def death_of(self, life: Life) -> str:
        """Return what ended the process: a signal or a status; empty when nobody noted it."""
        return self.deaths.get(life.start.says.pid, "") if life.start else ""


def read(directory: Path) -> Faults:
    """Return what the notes beside the logs of a stack tell; nothing when there are none."""
    found = Faults()
    frozen: dict[int, str] = {}
    for note in _notes(directory):
        pid, wall = note.get("pid"), str(note.get("wall", ""))
        if not isinstance(pid, int):
            continue
        if note.get("intent") == "pause":
            frozen.setdefault(pid, wall)
        elif pid in frozen and (note.get("intent") == "unpause" or "state" in note):
            found.pauses.setdefault(pid, []).append(Pause(frozen.pop(pid), wall))
        if note.get("state") in {"EXITED", "STOPPED", "BACKOFF", "FATAL"}:
            found.deaths[pid] = str(note.get("signal") or f"exit status {note.get('status', 'unknown')}")
    for pid, wall in frozen.items():
        found.pauses.setdefault(pid, []).append(Pause(wall, ""))
    return found


def _notes(directory: Path) -> Iterator[dict[str, Any]]:
    for path in (directory / _NOTES, directory.parent / _NOTES if directory.name == "logs" else None):
        if path is None or not path.is_file():
            continue
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    note = json.loads(line)
                except ValueError:
                    continue  # the last line may be half written
                if isinstance(note, dict):
                    yield note
        return
