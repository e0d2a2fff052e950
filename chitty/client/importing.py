"""Importing a user's module from the directory of the call without letting that directory shadow anything else.

Knows nothing of bots. The directory goes to the end of the import path, and a module whose name the standard library
or an installed package has already is imported under another name.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_OWN = "chitty"


def import_from(name: str, path: Sequence[str]) -> ModuleType:
    """Return the module `name`, from the folders of `path` if one of them has it, and otherwise from anywhere.

    From then on the folders are searched for what the module imports in turn, after everything else.

    Raises:
        ImportError: there is no such module; besides, whatever the module raises.
    """
    top, dot, rest = name.partition(".")
    if top == _OWN:
        return importlib.import_module(name)
    installed = _installed(top)
    found = PathFinder.find_spec(top, list(path))
    sys.path.extend(folder for folder in path if folder not in sys.path)
    if found is None or found.origin is None or installed is None or found.origin == installed.origin:
        return importlib.import_module(name)
    alias = f"{top}_of_caller"
    _import_as(alias, found)
    return importlib.import_module(alias + dot + rest)


def _installed(top: str) -> ModuleSpec | None:
    """Return what `import top` finds, or has found already, without the caller's folders."""
    if top in sys.modules:
        return sys.modules[top].__spec__ or ModuleSpec(top, None)
    return importlib.util.find_spec(top)


def _import_as(alias: str, found: ModuleSpec) -> None:
    assert found.origin is not None
    folders = found.submodule_search_locations
    spec = importlib.util.spec_from_file_location(alias, found.origin, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[alias]
        raise
