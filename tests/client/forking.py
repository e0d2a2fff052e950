"""A participant that forks, run by test_forks: `python tests/client/forking.py ADDRESS`. Says what its children did."""

import asyncio
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable

import chitty

CHILDREN = 30


def idle() -> int:
    for _ in range(100_000):
        pass
    return 0


def use(me: chitty.Session, address: str) -> int:
    """Return how many of the things that a session can do do not raise at once."""
    uses: list[Callable] = [
        lambda: chitty.join("child", address).__aenter__(),
        lambda: me.publish("hello"),
        me.__aenter__,
        me.__anext__,
        me.ended,
        me.participants,
        me.leave,
        me.abandon,
    ]
    wrong = len(uses)
    for each in uses:
        try:
            each().send(None)
        except chitty.Forked:
            wrong -= 1
        except (chitty.ChittyError, StopIteration) as error:
            sys.stderr.write(f"{error!r}\n")
    return wrong


def tell(what: str, codes: list[int]) -> None:
    sys.stdout.write(f"{what} {dict(Counter(codes))}\n")


async def forked(act: Callable[[], int]) -> int:
    """Return the exit code of a forked child."""
    child = os.fork()
    if not child:
        try:
            os._exit(act())
        finally:
            os._exit(100)  # whatever it raised: the child must not go on with its parent's work
    _, code = await asyncio.to_thread(os.waitpid, child, 0)
    return os.waitstatus_to_exitcode(code)


async def main(address: str) -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
    async with chitty.join("alice", address) as me:
        await me.publish("one")
        tell("idle", [await forked(idle) for _ in range(CHILDREN)])
        tell("use", [await forked(lambda: use(me, address)) for _ in range(CHILDREN)])
        runs = [subprocess.run([sys.executable, "-c", ""], check=False, preexec_fn=idle) for _ in range(CHILDREN)]
        tell("subprocess", [run.returncode for run in runs])
        await me.publish("two")
    sys.stdout.write("left\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
