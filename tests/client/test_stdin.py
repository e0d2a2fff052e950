"""Standard input, read by a thread for an event loop."""

import subprocess
import sys
from pathlib import Path

from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]

ENDING = """
import asyncio, threading
from chitty.client import stdin

async def end_while_the_thread_waits():
    async for _ in stdin.read_pieces():
        before = None
        while (waiting := asyncio.all_tasks() - {asyncio.current_task()}) != before or not waiting:
            before = waiting
            await asyncio.sleep(0.05)
        break

asyncio.run(end_while_the_thread_waits())
for thread in threading.enumerate():
    if thread.name == "input":
        thread.join()
"""


def test_a_loop_that_ends_while_input_waits_for_it_leaves_no_traceback():
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        program = [sys.executable, "-c", ENDING]
        done = subprocess.run(
            program, cwd=ROOT, stdin=endless.stdout, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        endless.kill()
    assert (done.returncode, done.stderr) == (0, "")
