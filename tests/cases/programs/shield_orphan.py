"""A request that times out, but its shielded half waits on for an answer. Twin: the timeout ends it."""

import asyncio

from service import FIXED, row, serve, tasks_of

answers = {}


async def fetch(number):
    answers[number] = asyncio.get_running_loop().create_future()
    try:
        return await answers[number]
    finally:
        del answers[number]


async def request(number):
    fetching = fetch(number)
    try:
        await asyncio.wait_for(fetching if FIXED else asyncio.shield(fetching), 0.005)
    except asyncio.TimeoutError:
        pass


serve(request, lambda: row("task", fetch, tasks_of(fetch)))
