"""Each order is checked by three tasks of a group, which is left when all have ended."""

import asyncio

from service import row, serve, tasks_of


async def check(order, what):
    await asyncio.sleep(0.01 + order % 5 / 100)
    if what == "credit" and order % 10 == 0:
        raise ValueError("no credit")


async def accept(order):
    checks = ("stock", "credit", "address")
    if not hasattr(asyncio, "TaskGroup"):
        return await asyncio.gather(*(check(order, what) for what in checks), return_exceptions=True)
    try:
        async with asyncio.TaskGroup() as group:
            for what in checks:
                group.create_task(check(order, what))
    except BaseException as error:
        if not hasattr(error, "exceptions"):
            raise


async def request(number):
    asyncio.ensure_future(accept(number))


serve(request, lambda: row("task", check, tasks_of(check)), rate=25)
