"""The last 200 computations are kept, as the tasks that made them: full after 15 s, then the oldest goes."""

import asyncio
import collections

from service import row, serve, tasks_of

results = collections.OrderedDict()
SIZE = 200


async def compute(number):
    await asyncio.sleep(0.01)
    return number * number


async def cached(number):
    if number not in results:
        results[number] = asyncio.ensure_future(compute(number))
        if len(results) > SIZE:
            results.popitem(last=False)
    return await results[number]


async def request(number):
    await cached(number - number % 3)


serve(request, lambda: row("task", compute, tasks_of(compute, done=True)), rate=40)
