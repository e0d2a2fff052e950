"""The public face of errors: what the library raises can be caught by a name of `chitty`, and README lists it."""

import inspect
import re
from pathlib import Path

import chitty
from chitty.core import errors

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PUBLIC = {
    name for name in chitty.__all__ if isinstance(kind := getattr(chitty, name), type) and issubclass(kind, Exception)
}


def test_every_refusal_is_public():
    assert {cls.__name__ for cls in errors.Refusal.__subclasses__()} < PUBLIC


def test_every_error_that_the_library_says_it_raises_is_public():
    methods = [method for _, method in inspect.getmembers(chitty.Session, inspect.isfunction)]
    said = {
        name
        for method in (chitty.join, *methods)
        for part in re.findall(r"Raises:\n(.*)", inspect.getdoc(method) or "", re.DOTALL)
        for name in re.findall(r"^ {4}(\w+):", part, re.MULTILINE)
    }
    assert said >= {"Refusal", "Unacknowledged", "SessionEnded", "SessionReused", "EventsDropped", "SettingsError"}
    assert said - {"TypeError"} < PUBLIC


def test_every_error_that_the_library_raises_is_public():
    """What its modules raise, or make to be raised by somebody who waits."""
    folder = Path(inspect.getfile(chitty)).parent
    made = {
        name
        for file in ("session", "outbox", "inbox", "transport", "distrust", "credentials")
        for name in re.findall(r"\b([A-Z]\w+)\(", (folder / f"client/{file}.py").read_text(encoding="utf-8"))
        if issubclass(getattr(errors, name, int), errors.ChittyError)
    }
    assert "EventsDropped" in made
    assert made < PUBLIC


def test_the_readme_lists_every_public_error():
    (table,) = re.findall(r"\| error \| raised by \| means \|\n(.*?)\n\n", README, re.DOTALL)
    listed = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert listed == PUBLIC - {"ChittyError"}
