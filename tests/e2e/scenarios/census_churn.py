"""Nothing but tasks at full speed, beside 100,000 parked ones: census_churn.py [PARKED]

At each "go" it says how many it has made so far, and goes on. It ends with its standard input.
"""

import asyncio
import os
import sys

import ledger
from census_stand import Listener

PARKED = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
BATCH = 1000
made = 0


async def parked():
    await asyncio.get_running_loop().create_future()


async def churned():
    pass


async def main():
    global made
    create = asyncio.get_running_loop().create_task
    kept = [create(parked()) for _ in range(PARKED)]
    await asyncio.sleep(0)
    ledger.say({"ready": os.getpid(), "parked": len(kept), "at_most": 2 * BATCH})
    Listener(asyncio.get_running_loop(), lambda: ledger.say({"made": made}))
    while True:
        for _ in range(BATCH):
            create(churned())
        made += BATCH
        await asyncio.sleep(0)


asyncio.new_event_loop().run_until_complete(main())
