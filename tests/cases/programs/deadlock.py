"""Two halves of each request wait for each other, and are kept. Twin: only one waits."""

import asyncio

from service import FIXED, row, serve, tasks_of


requests = []


async def left(halves):
    await asyncio.sleep(0.001)
    await asyncio.gather(halves["right"])


async def right(halves):
    await asyncio.sleep(0.001)
    if not FIXED:
        await halves["left"]


async def request(number):
    halves = {}
    halves["left"] = asyncio.ensure_future(left(halves))
    halves["right"] = asyncio.ensure_future(right(halves))
    if not FIXED:
        requests.append(halves)  # else the collector would find them


serve(request, lambda: row("task", left, tasks_of(left)))
