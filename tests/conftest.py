"""What all tests share: their options, and how hard Hypothesis tries.

`pytest --rewrite` writes what transcripts expect anew; only commit the changes if you understand what
caused them. `pytest --hypothesis-profile=thorough --timeout=0` looks for counter-examples for much longer, and
by chance. `pytest --long` plays the faults of tests/faults in their long form, and `--record FILE` appends what
each of them counted to a file.
"""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Derandomised, so that a change is judged by the change alone and not by luck.
LONG = 3600
"""Seconds that a test may take in its long form, of which some play faults for ten minutes."""

# However slow the machine, no example is too slow.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", patient, max_examples=60, stateful_step_count=40, derandomize=True, database=None)
settings.register_profile("thorough", patient, max_examples=2000, stateful_step_count=60)
settings.load_profile("quick")


def pytest_configure() -> None:
    os.environ["CHITTY_PROGRAM"] = "chitty"  # so hints name it, however a test calls it
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        # As of a job in the background, or under nohup. What tests interrupt would inherit that, and never end.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write what transcripts expect anew")
    parser.addoption("--long", action="store_true", help="play the faults of tests/faults in their long form")
    parser.addoption("--record", metavar="FILE", help="append what the tests of faults counted to FILE, as JSON lines")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        for item in items:
            item.add_marker(pytest.mark.timeout(LONG))


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite"))


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Collect processes that a test starts; what still lives at its end is killed."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream:
                stream.close()
