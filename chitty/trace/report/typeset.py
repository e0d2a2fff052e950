"""The page: calls typst on the template, with everything else as data. The only place that knows typst.

Only fonts that come with typst are used, and those of a folder that the caller names: nothing of the machine,
nothing of the network. So the same data give the same bytes anywhere.
"""

import importlib
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from chitty import hints
from chitty.core.errors import NotInstalled, SettingsError

_TEMPLATE = Path(__file__).with_name("report.typ")

# A glyph that no font has is drawn as a box, all of one size. Nobody has one for the last code point.
_PROBE = b"""
#set text(top-edge: "bounds", bottom-edge: "bounds")
#context {
  let size(c) = { let m = measure(text(c)); (m.width, m.height) }
  let box = size("\\u{10ffff}")
  [#metadata(json(bytes(sys.inputs.data)).filter(c => size(c) == box))<lacking>]
}
"""


def lacking(characters: Iterable[str], fonts: Path | None = None) -> set[str]:
    """Return those characters that no font has.

    Raises:
        NotInstalled: typst is not.
    """
    asked = sorted(characters)
    if not asked:
        return set()
    found = _typst().query(_PROBE, "<lacking>", field="value", one=True, **_fonts(fonts), **_data(asked))
    return set(json.loads(found))


def typeset(data: dict[str, Any], made: datetime, fonts: Path | None = None) -> bytes:
    """Return the report as PDF, of a time that is not the clock's.

    Raises:
        NotInstalled: typst is not.
        SettingsError: typst refuses what the fonts or the options are.
    """
    typst = _typst()
    try:
        pdf = typst.compile(
            _TEMPLATE.read_bytes(), timestamp=int(made.timestamp()), format="pdf", **_fonts(fonts), **_data(data)
        )
    except typst.TypstError as error:
        raise SettingsError(f"typst {typst.__version__} cannot typeset the report: {error.message}") from error
    assert isinstance(pdf, bytes)
    return pdf


def _typst() -> Any:
    try:
        return importlib.import_module("typst")
    except ModuleNotFoundError:
        raise NotInstalled(f"a report is typeset by typst, which is missing: `{hints.install('report')}`") from None


def _fonts(folder: Path | None) -> dict[str, Any]:
    return {"ignore_system_fonts": True, "font_paths": [folder] if folder is not None else []}


def _data(value: Any) -> dict[str, Any]:
    return {"sys_inputs": {"data": json.dumps(value, ensure_ascii=False)}}
