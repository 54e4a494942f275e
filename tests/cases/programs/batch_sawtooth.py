"""Rows are collected, and whoever brought one waits until the batch is written, every 15 s."""

import asyncio

from service import row, serve, tasks_of

batch = []
EVERY_S = 15


async def insert(values):
    written = asyncio.get_running_loop().create_future()
    batch.append((values, written))
    await written


async def write_batches():
    while True:
        await asyncio.sleep(EVERY_S)
        rows = batch[:]
        batch.clear()
        for _, written in rows:
            written.set_result(None)


async def start():
    start.writer = asyncio.ensure_future(write_batches())


async def request(number):
    asyncio.ensure_future(insert((number, "row")))


serve(request, lambda: row("task", insert, tasks_of(insert)), rate=20, start=start)
