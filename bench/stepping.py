"""Workload: a task that does nothing but take steps, the worst case for anything that watches them.

Prints "ready PID", waits for a line, then steps for SECONDS of its own CPU time and prints one JSON line.
Used by steps.py; also by hand: python3 stepping.py 5 < /dev/null
"""

import asyncio
import json
import os
import sys
import time

BATCH = 10000


async def steps():
    for _ in range(BATCH):
        await asyncio.sleep(0)


async def step(seconds):
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        await steps()
        count += BATCH
    return {"steps": count, "cpu_s": time.process_time() - start}


async def main():
    await step(0.2)  # caches, specialised bytecode, first sight of every site
    print(json.dumps(await step(float(sys.argv[1]))), flush=True)


print("ready", os.getpid(), flush=True)
sys.stdin.readline()
asyncio.run(main())
