"""Tasks that one of asyncio's helpers leaves behind: PATTERN is the first argument. Twin: they are cancelled.

With "other" the function leaks, too, but not what the helper left: a heartbeat that nobody stops.
"""

import asyncio
import sys

from service import FIXED, row, serve, tasks_of

PATTERN = sys.argv[1]
OTHER = "other" in sys.argv[1:]


async def quick():
    await asyncio.sleep(0.001)


async def fails():
    await asyncio.sleep(0.001)
    raise ValueError


async def slow():
    await asyncio.sleep(3600)


async def heartbeat():
    while True:
        await asyncio.sleep(5)


async def stop(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def wait_loser():
    tasks = [asyncio.ensure_future(each()) for each in (quick, slow)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def wait_loser_mended():
    tasks = [asyncio.ensure_future(each()) for each in (quick, slow)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if OTHER:
        asyncio.ensure_future(heartbeat())


async def wait_timeout():
    await asyncio.wait({asyncio.ensure_future(slow())}, timeout=0.005)


async def wait_timeout_mended():
    done, pending = await asyncio.wait({asyncio.ensure_future(slow())}, timeout=0.005)
    for task in pending:
        task.cancel()
    if OTHER:
        asyncio.ensure_future(heartbeat())


async def as_completed_left():
    tasks = [asyncio.ensure_future(each()) for each in (quick, slow)]
    for first in asyncio.as_completed(tasks):
        await first
        break
    if FIXED or OTHER:
        await stop(tasks)
    if OTHER:
        asyncio.ensure_future(heartbeat())


async def as_completed_left_of_coroutines():
    for first in asyncio.as_completed([quick(), quick() if FIXED or OTHER else slow()]):
        await first
        break
    if OTHER:
        asyncio.ensure_future(heartbeat())


async def gather_orphan():
    tasks = [asyncio.ensure_future(each()) for each in (fails, slow)]
    try:
        await asyncio.gather(*tasks)
    except ValueError:
        if FIXED or OTHER:
            await stop(tasks)
    if OTHER:
        asyncio.ensure_future(heartbeat())


async def shield_orphan():
    try:
        await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(slow())), 0.005)
    except asyncio.TimeoutError:
        pass


async def shield_orphan_mended():
    task = asyncio.ensure_future(slow())
    try:
        await asyncio.wait_for(asyncio.shield(task), 0.005)
    except asyncio.TimeoutError:
        task.cancel()
    if OTHER:
        asyncio.ensure_future(heartbeat())


mended = globals().get(PATTERN + "_mended")
operation = mended if mended and (FIXED or OTHER) else globals()[PATTERN]
leaking = heartbeat if OTHER else slow


async def request(number):
    await operation()


serve(request, lambda: row("task", leaking, tasks_of(leaking)))
