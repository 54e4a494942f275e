"""The load goes up and down in three minutes, and with it what is under way."""

import asyncio
import math
import random

from service import elapsed, row, serve, tasks_of

CYCLE_S = 180


async def handle(number):
    await asyncio.sleep(random.uniform(0.5, 4))


async def request(number):
    load = 0.55 - 0.45 * math.cos(elapsed() / CYCLE_S * 2 * math.pi)
    if random.random() < load:
        asyncio.ensure_future(handle(number))


serve(request, lambda: row("task", handle, tasks_of(handle)), rate=30)
