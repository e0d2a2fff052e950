"""The generated code is what the generator makes of the proto that is here."""

import subprocess
from pathlib import Path

from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


def test_generated_code_is_up_to_date(tmp_path):
    subprocess.run([ROOT / "bin/gen-proto", tmp_path], check=True, capture_output=True, timeout=4 * PATIENCE)
    made = sorted((tmp_path / "chitty/wire").iterdir())
    assert [path.name for path in made] == [
        "chitty_pb2.py",
        "chitty_pb2.pyi",
        "chitty_pb2_grpc.py",
        "chitty_pb2_grpc.pyi",
    ]
    for path in made:
        assert path.read_text() == (ROOT / "chitty/wire" / path.name).read_text(), f"{path.name}: run bin/gen-proto"
