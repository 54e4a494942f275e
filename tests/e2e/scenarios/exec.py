"""A process that executes itself with tasks outstanding: the same PID, a new memory, nothing left of the old."""

import asyncio
import os
import sys

from ledger import barrier, ledger, quiet, ready, run

keep = []


async def before():
    await asyncio.get_running_loop().create_future()


async def after():
    await asyncio.get_running_loop().create_future()


async def make(function, count):
    keep.extend(ledger.made(asyncio.create_task(function())) for _ in range(count))
    await asyncio.sleep(0)


if sys.argv[1:] == ["again"]:
    run(quiet(asyncio.new_event_loop()), make(after, 5))
    barrier(ledger.truth(past=["before", "make"]))
else:
    ready()
    run(quiet(asyncio.new_event_loop()), make(before, 8))
    os.execv(sys.executable, [sys.executable, sys.argv[0], "again"])
