"""When a run counts as settled, by notes written here."""

import json
from pathlib import Path

import pytest

from tests.faults import tally

OLD, NEW = "0000000a", "0000000b"


def life(folder: Path, name: str, *notes: dict[str, object]) -> None:
    (folder / "records").mkdir(exist_ok=True)
    lines = [{"life": 1, "epoch": ""}, *notes]
    text = "".join(json.dumps({**note, "at": float(index)}) + "\n" for index, note in enumerate(lines))
    (folder / f"records/{name}.jsonl").write_text(text)


def heard(epoch: str, sequence: int) -> dict[str, object]:
    return {"heard": sequence, "kind": "publish", "who": "bob", "text": str(sequence), "epoch": epoch}


def acked(epoch: str, sequence: int) -> list[dict[str, object]]:
    text = str(sequence)
    return [{"said": text, "epoch": epoch}, {"acked": text, "seq": sequence, "epoch": epoch}]


def test_a_run_is_settled_by_the_newest_order_however_long_an_older_one_was(tmp_path):
    life(tmp_path, "bob", *acked(OLD, 90), heard(OLD, 90), *acked(NEW, 20), heard(NEW, 20))
    life(tmp_path, "carol", heard(OLD, 80), heard(NEW, 20))
    assert tally.settled(tmp_path, {"bob", "carol"})


@pytest.mark.parametrize(
    ("bob", "carol"),
    [
        ([heard(NEW, 20)], [heard(NEW, 19)]),
        ([heard(NEW, 20)], [heard(OLD, 20)]),
        ([*acked(NEW, 21), heard(NEW, 20)], [heard(NEW, 20)]),
        ([*acked(NEW, 5), heard(OLD, 20)], [heard(OLD, 20)]),
        ([heard(NEW, 20), {"said": "21", "epoch": NEW}], [heard(NEW, 20)]),
        ([], [heard(NEW, 20)]),
    ],
    ids=[
        "one is behind",
        "one is in an older order",
        "a receipt",
        "all are in an older order",
        "no receipt",
        "nothing",
    ],
)
def test_a_run_is_not_settled_while_something_is_outstanding(tmp_path, bob, carol):
    life(tmp_path, "bob", *bob)
    life(tmp_path, "carol", *carol)
    assert not tally.settled(tmp_path, {"bob", "carol"})
