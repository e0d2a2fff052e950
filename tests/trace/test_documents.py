"""What is committed under docs/ is what the tool makes, and still holds."""

from pathlib import Path

import pytest

from chitty.trace import check, diagram
from chitty.trace.axis import Axis

DEMO = Path(__file__).parents[2] / "docs/demo"


def test_the_demo_still_passes_check():
    verdict = check.check(DEMO)
    assert verdict.judgement == "valid"
    assert verdict.census.events > 100


@pytest.mark.parametrize("name", ["diagram.svg", "diagram.html"])
def test_the_demo_is_drawn_as_it_would_be_today(name):
    made = diagram.draw(DEMO, diagram.format_of(DEMO / name), Axis.LAMPORT)
    assert made.data == (DEMO / name).read_bytes(), "remake it: chitty demo -o docs/demo"
