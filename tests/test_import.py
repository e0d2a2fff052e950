"""Importing is light: what a command does not need is not loaded."""

import subprocess
import sys

import pytest

HEAVY = ("grpc", "google.protobuf", "prompt_toolkit", "rich", "yaml", "asyncio")


@pytest.mark.parametrize("module", ["chitty", "chitty.cli", "chitty.stack.report", "chitty.stack.say"])
def test_a_command_that_only_controls_loads_nothing_heavy(module):
    program = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_library_is_loaded_on_first_use():
    program = "import sys, chitty; chitty.join; print('grpc' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"


def test_there_is_no_public_name_that_is_not_there():
    import chitty  # noqa: PLC0415 - beside what is asserted

    assert all(getattr(chitty, name) is not None for name in chitty.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        chitty.nothing  # noqa: B018 - the access is the test
