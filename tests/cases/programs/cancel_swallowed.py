"""A poller that must not die catches everything, its own cancellation too. Twin: it lets that through."""

import asyncio

from service import FIXED, row, serve, tasks_of


async def poll(device):
    while True:
        try:
            await asyncio.sleep(3)
        except BaseException:
            if FIXED:
                raise


async def request(number):
    task = asyncio.ensure_future(poll(number))
    await asyncio.sleep(0.002)
    task.cancel()


serve(request, lambda: row("task", poll, tasks_of(poll)))
