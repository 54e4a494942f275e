"""Partitions are assigned one after the other for the first 18 s: a consumer for each, which then stays."""

import asyncio

from service import elapsed, row, serve, tasks_of

RAMP_S = 18
consumers = {}
records = {}


async def consume(partition):
    queue = records[partition] = asyncio.Queue()
    while True:
        await queue.get()


async def request(number):
    if elapsed() < RAMP_S:
        consumers[number] = asyncio.ensure_future(consume(number))
    else:
        records[number % len(records)].put_nowait(number)


serve(request, lambda: row("task", consume, tasks_of(consume)), rate=6)
