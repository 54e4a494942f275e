"""Each request waits for its work or for the shutdown, and forgets what comes second. Twin: cancels it."""

import asyncio

from service import FIXED, row, serve, tasks_of

shutdown = asyncio.Event()


async def work(number):
    await asyncio.sleep(0.01)
    return number


async def handle(number):
    working = asyncio.ensure_future(work(number))
    stopping = asyncio.ensure_future(shutdown.wait())
    done, pending = await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    if FIXED:
        for task in pending:
            task.cancel()
    return done


serve(handle, lambda: row("task", asyncio.Event.wait, tasks_of(asyncio.Event.wait)), rate=15)
