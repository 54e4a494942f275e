"""Two hundred short requests a second, each a task with a few awaits."""

import asyncio

from service import row, serve, tasks_of


async def query(key):
    await asyncio.sleep(0.001 * (key % 10))
    return key


async def handle(number):
    await query(number)
    await asyncio.sleep(0.002 if number % 50 else 1.5)
    return await query(number + 1)


async def request(number):
    asyncio.ensure_future(handle(number))


serve(request, lambda: row("task", handle, tasks_of(handle)), rate=200)
