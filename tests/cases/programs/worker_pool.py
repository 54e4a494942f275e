"""A pool of workers that take jobs from a queue."""

import asyncio

from service import row, serve, tasks_of

WORKERS = 20
jobs = asyncio.Queue()


async def worker(number):
    while True:
        job = await jobs.get()
        await asyncio.sleep(0.05 + job % 7 / 50)
        jobs.task_done()


async def start():
    start.pool = [asyncio.ensure_future(worker(number)) for number in range(WORKERS)]


async def request(number):
    jobs.put_nowait(number)


serve(request, lambda: row("task", worker, tasks_of(worker)), rate=60, start=start)
