"""Many tasks outstanding at once (default 1,000,000)."""

import asyncio
import gc
import os
import sys

from ledger import barrier, ledger, quiet, ready, run

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
keep = []


async def parked(forever):
    await forever


async def park():
    loop = asyncio.get_running_loop()
    forever = loop.create_future()
    for _ in range(COUNT):
        keep.append(loop.create_task(parked(forever)))
    await asyncio.sleep(0)


ready()
gc.disable()  # a million young objects: collecting them again and again is most of the time, and nothing to do here
run(quiet(asyncio.new_event_loop()), park())
ledger.note("parked", COUNT, destroyed=0)
barrier(ledger.truth())
os._exit(0)  # without a complaint about each of them
