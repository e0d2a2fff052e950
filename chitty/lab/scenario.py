"""A scenario: what happens to a stack, step by step, read from YAML and checked before anything starts.

Pure but for reading the file; whether the steps come true is for `chitty.lab.run`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from chitty import resources, settings
from chitty.core.errors import SettingsError
from chitty.lab import chance, steps, values
from chitty.lab.steps import Random, Step, Up
from chitty.lab.values import Names
from chitty.settings import Settings
from chitty.stack import plan

_FORM = "a scenario has a `title:` and `steps:`"
_FOLDER = "conf"
_SETTINGS = "chitty"  # conf/chitty.yaml, which is no scenario


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is to be played.

    Attributes:
        title: what it shows, in one line.
        source: where it was read.
        start: its first step, with names in place of a number of clients.
        then: the others, as written.
        told: the settings of its stack.
    """

    title: str
    source: str
    start: Up
    then: tuple[Step | Random, ...]
    told: Settings

    @property
    def by_chance(self) -> bool:
        """Whether a seed makes a difference."""
        return any(isinstance(step, Random) for step in self.then)

    def steps(self, seed: int) -> list[Step]:
        """Return every step that is to be played, those by chance written out: the same for the same seed."""
        return chance.expand(self.start, self.then, self.told.clients.roster, seed)


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    title: str
    steps: list[Any]


def find(name: str) -> Path:
    """Return the file of a scenario: a path, or the name of one that comes with Chitty-Chat.

    Raises:
        SettingsError: there is none.
    """
    path = Path(name)
    own = resources.path(f"{_FOLDER}/{name}.yaml")
    if path.is_file():
        return path
    if name in names():
        return own
    raise SettingsError(f"there is no scenario {name!r}: give a file, or one of {', '.join(names())}")


def names() -> list[str]:
    """Return the names of the scenarios that come with Chitty-Chat."""
    return sorted(path.stem for path in resources.path(_FOLDER).glob("*.yaml") if path.stem != _SETTINGS)


def read(path: Path) -> Scenario:
    """Read the scenario of a file.

    Raises:
        SettingsError: it cannot be read, or as `load` does.
    """
    default = settings.text_of(resources.path("conf/chitty.yaml"))
    return load(settings.text_of(path), str(path), default)


def load(text: str, source: str, default: str) -> Scenario:
    """Read a scenario from YAML, over the default settings, as YAML too.

    Raises:
        SettingsError: it is not one; the text names the step by its number, from 1, and the key at fault.
    """
    file = settings.convert(settings.mapping(text, source, _FORM), _File, source, "key")
    found = [_step(value, f"{source}, step {number}") for number, value in enumerate(file.steps, 1)]
    if not found or not isinstance(found[0], Up):
        raise SettingsError(f"{source}, step 1: a scenario begins with `up`, which starts its stack")
    for number, step in enumerate(found[1:], 2):
        if isinstance(step, Up):
            raise SettingsError(f"{source}, step {number} (up): the stack runs already: `join` adds participants")
    own = yaml.safe_dump(found[0].settings)
    told = settings.load(own, f"{source}, step 1 (up)", default)
    return Scenario(file.title, source, _named(found[0], told, source), tuple(_without_up(found)), told)


def _step(value: Any, source: str) -> Step | Random:
    if isinstance(value, str):
        value = {value: {}}
    if not isinstance(value, dict) or len(value) != 1:
        raise SettingsError(f"{source}: a step is one verb with what it takes, such as `kill: carol`")
    ((verb, told),) = value.items()
    kind = steps.VERBS.get(verb)
    if kind is None:
        raise SettingsError(f"{source}: there is no {verb!r}: give one of {', '.join(steps.VERBS)}")
    if not isinstance(told, dict):
        told = {kind.short: told}
    return settings.convert(told, kind, f"{source} ({verb})", "key", values.decode)


def _named(start: Up, told: Settings, source: str) -> Up:
    """Put names in place of a number of clients."""
    if isinstance(start.clients, int):
        return msgspec.structs.replace(start, clients=plan.names(start.clients, told.clients.roster, start.humans))
    try:
        return msgspec.structs.replace(start, clients=list(values.decode(Names, start.clients)))
    except ValueError as error:
        raise SettingsError(f"{source}, step 1 (up), key clients: {error}") from None


def _without_up(found: Sequence[Step | Random]) -> list[Step | Random]:
    return [step for step in found if not isinstance(step, Up)]
