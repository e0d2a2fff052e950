"""Forking beside an open session: the children live, and using the session in one raises instead of hanging.

In a process of its own, because gRPC reads how it is to behave when it is imported.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.client.forking import CHILDREN
from tests.services import serving
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


async def test_forked_children_live_and_raise_where_grpc_would_hang():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    async with serving() as service:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            ROOT / "tests/client/forking.py",
            service.address,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(running.communicate(), PATIENCE)
    assert running.returncode == 0, err.decode()
    all_well = {0: CHILDREN}
    assert out.decode().splitlines() == [f"idle {all_well}", f"use {all_well}", f"subprocess {all_well}", "left"], err
