"""Workers that end after so many jobs, and a supervisor that replaces them."""

import asyncio
import random

from service import row, serve, tasks_of

jobs = asyncio.Queue()
workers = set()


async def worker(jobs_left):
    for _ in range(jobs_left):
        await jobs.get()
        await asyncio.sleep(0.02)


def hire(_=None):
    task = asyncio.ensure_future(worker(random.randint(20, 60)))
    workers.add(task)
    task.add_done_callback(retire)


def retire(task):
    workers.discard(task)
    hire()


async def start():
    for _ in range(16):
        hire()


async def request(number):
    jobs.put_nowait(number)


serve(request, lambda: row("task", worker, tasks_of(worker)), rate=40, start=start)
