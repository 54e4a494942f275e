"""Workload: open loop, RATE tasks a second for SECONDS whatever it costs, each alive for a moment.

Prints "ready PID", waits for a line, then works and prints one JSON line. Used by openloop.py.
"""

import asyncio
import json
import os
import sys
import time

TICK_S = 0.005


async def request():
    await asyncio.sleep(0)


async def steady(rate, seconds):
    loop = asyncio.get_running_loop()
    wall, start = time.monotonic(), time.process_time()
    made = 0
    while True:
        elapsed = time.monotonic() - wall
        if elapsed >= seconds:
            break
        while made < rate * elapsed:
            loop.create_task(request())
            made += 1
        await asyncio.sleep(TICK_S)
    return {"tasks": made, "cpu_s": time.process_time() - start, "wall_s": time.monotonic() - wall}


print("ready", os.getpid(), flush=True)
sys.stdin.readline()
print(json.dumps(asyncio.run(steady(int(sys.argv[1]), float(sys.argv[2])))), flush=True)
