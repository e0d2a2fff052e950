"""What the tests of faults share: a ground to stand on, and the record of what each run counted."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.ground import Ground
from tests.faults.tally import Tally


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Callable[..., Ground]]:
    made: list[Ground] = []

    def make(**changes: object) -> Ground:
        folder = tmp_path / f"ground-{len(made)}"
        folder.mkdir()
        made.append(Ground(folder, **changes))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def record(request: pytest.FixtureRequest, long: bool) -> Callable[..., None]:
    """Append a row for docs/reliability.md to the file of --record, if there is one."""

    def write(fault: str, faults: int, counts: Tally | dict[str, Any], **more: object) -> None:
        if isinstance(counts, Tally):
            counts = {
                "sent": counts.said,
                "acknowledged": counts.acknowledged,
                "delivered": counts.delivered,
                "lost": counts.lost,
                "duplicated": counts.duplicated,
                "reordered": counts.reordered,
            }
        file = request.config.getoption("--record")
        row = {"fault": fault, "faults": faults, "form": "long" if long else "short", **counts, **more}
        if file:
            with Path(file).open("a", encoding="utf-8") as rows:
                rows.write(json.dumps(row) + "\n")

    return write
