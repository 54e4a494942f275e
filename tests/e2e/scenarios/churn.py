"""Tasks at full speed (default 2,000,000), none left over."""

import asyncio
import gc
import sys

from ledger import barrier, ledger, quiet, ready, run

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
BATCH = 1000


async def nothing():
    pass


async def churn():
    create = asyncio.get_running_loop().create_task
    for _ in range(COUNT // BATCH):
        for _ in range(BATCH):
            create(nothing())
        await asyncio.sleep(0)
    await asyncio.sleep(0)


ready()
run(quiet(asyncio.new_event_loop()), churn())
gc.collect()
ledger.note("nothing", COUNT // BATCH * BATCH)  # watching each would cost more than the task
barrier(ledger.truth())
