"""Workload: empty tasks at full speed, the worst case for anything that watches tasks.

Prints "ready PID", waits for a line, then churns for SECONDS of its own CPU time and prints one JSON line.
Used by overhead.py; also by hand: python3 churn.py 5 < /dev/null
"""

import asyncio
import json
import os
import sys
import time

BATCH = 1000


async def nothing():
    pass


async def churn(seconds):
    create = asyncio.get_running_loop().create_task
    tasks = 0
    wall, start = time.monotonic(), time.process_time()
    while time.process_time() - start < seconds:
        for _ in range(BATCH):
            create(nothing())
        await asyncio.sleep(0)
        tasks += BATCH
    return {"tasks": tasks, "cpu_s": time.process_time() - start, "wall_s": time.monotonic() - wall}


async def main():
    await churn(0.2)  # caches, specialised bytecode, first sight of every site
    print(json.dumps(await churn(float(sys.argv[1]))), flush=True)


print("ready", os.getpid(), flush=True)
sys.stdin.readline()
asyncio.run(main())
