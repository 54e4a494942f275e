"""Failures are kept for a report: each error keeps its traceback, and that the task. Twin: keeps the text of the last."""

import asyncio
import collections

from service import FIXED, row, serve, tasks_of

failures = collections.deque(maxlen=50) if FIXED else []


async def convert(number):
    await asyncio.sleep(0.002)
    if number % 3 == 0:
        raise ValueError("page %d is broken" % number)


async def request(number):
    task = asyncio.ensure_future(convert(number))
    try:
        await task
    except ValueError as error:
        failures.append(str(error) if FIXED else error)  # its frames know the task


serve(request, lambda: row("task", convert, tasks_of(convert, done=True)), rate=24)
