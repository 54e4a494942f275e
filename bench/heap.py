"""Workload: a heap of OBJECTS collected objects (about 200 bytes each) beside a loop that uses some of them.

Prints "ready PID", waits for a line, then works for SECONDS and prints one JSON line. Used by census.py.
"""

import asyncio
import json
import os
import sys
import time


class Session:
    def __init__(self, number):
        self.number = number
        self.items = [number]


async def parked(gate):
    await gate.wait()


async def main(objects, seconds):
    gate = asyncio.Event()
    tasks = [asyncio.ensure_future(parked(gate)) for _ in range(1000)]
    await asyncio.sleep(0)
    sessions = [Session(number) for number in range(objects // 2)]  # the instance and its list are collected objects
    print("ready", os.getpid(), flush=True)
    sys.stdin.readline()
    turns, begun = 0, time.monotonic()
    cpu = time.process_time()
    while time.monotonic() - begun < seconds:
        for session in sessions[turns % 1000 :: 1000]:
            session.number += len(session.items)
        turns += 1
        await asyncio.sleep(0)
    result = {"turns": turns, "cpu_s": time.process_time() - cpu, "seconds": time.monotonic() - begun}
    gate.set()
    await asyncio.gather(*tasks)
    return result


print(json.dumps(asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))), flush=True)
