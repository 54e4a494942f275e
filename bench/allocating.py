"""Workload: tasks that allocate and free blocks of over 512 bytes, and little else; one in a hundred is kept a while.

Prints "ready PID", waits for a line, then works for SECONDS of its own CPU time and prints one JSON line: how many
blocks it asked for. Used by memory.py; also by hand: python3 allocating.py 5 < /dev/null
"""

import asyncio
import collections
import json
import os
import sys
import time

WORKERS = 8
BLOCKS_A_STEP = 50
LETTER = "x"
SIZES = tuple(600 + 97 * number % 3500 for number in range(61))


def read_record(number):
    return LETTER * SIZES[number % len(SIZES)]  # malloc; bytes(n) would be calloc


def load(first):
    return [{"id": number, "body": read_record(number)} for number in range(first, first + BLOCKS_A_STEP)]


async def handle(first, kept):
    records = load(first)
    kept.append(records[0]["body"])
    await asyncio.sleep(0)
    return sum(len(record["body"]) for record in records)


async def worker(seconds):
    kept = collections.deque(maxlen=1000)
    blocks, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        await handle(blocks, kept)
        blocks += BLOCKS_A_STEP
    return blocks


async def run(seconds):
    wall, cpu = time.monotonic(), time.process_time()
    blocks = sum(await asyncio.gather(*(worker(seconds) for _ in range(WORKERS))))
    return {"blocks": blocks, "cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}


async def main():
    await run(0.2)  # caches, specialised bytecode, first sight of every site
    print(json.dumps(await run(float(sys.argv[1]))), flush=True)


print("ready", os.getpid(), flush=True)
sys.stdin.readline()
asyncio.run(main())
