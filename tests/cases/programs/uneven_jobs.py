"""Exports of very different length, from a tenth of a second to two minutes, a steady two each second."""

import asyncio
import random

from service import row, serve, tasks_of


def length_s():
    return min(120, 0.1 * random.paretovariate(0.6))


async def export(seconds):
    await asyncio.sleep(seconds)


async def start():
    for age_s in range(120):
        for _ in range(2):
            left_s = length_s() - age_s
            if left_s > 0:
                asyncio.ensure_future(export(left_s))


async def request(number):
    asyncio.ensure_future(export(length_s()))


serve(request, lambda: row("task", export, tasks_of(export)), rate=2, start=start)
