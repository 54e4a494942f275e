"""A process that ends with tasks outstanding, without destroying any."""

import asyncio
import os

from ledger import barrier, ledger, quiet, ready, run

keep = []


async def abandoned():
    await asyncio.get_running_loop().create_future()


async def make():
    keep.extend(ledger.made(asyncio.create_task(abandoned())) for _ in range(12))
    await asyncio.sleep(0)


ready()
run(quiet(asyncio.new_event_loop()), make())
barrier(ledger.truth())
os._exit(0)
