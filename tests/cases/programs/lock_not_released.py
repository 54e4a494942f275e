"""After an error the lock of the ledger stays locked, and everything queues behind it. Twin: `async with`."""

import asyncio

from service import FIXED, elapsed, row, serve, tasks_of

ledger_lock = asyncio.Lock()


async def book(amount):
    if FIXED:
        async with ledger_lock:
            return await write(amount)
    await ledger_lock.acquire()
    await write(amount)
    ledger_lock.release()  # not after an error


async def write(amount):
    await asyncio.sleep(0.002)
    if elapsed() > 10 and amount % 7 == 0:
        raise ValueError("no such account")


async def request(number):
    asyncio.ensure_future(book(number))


serve(request, lambda: row("task", book, tasks_of(book)), rate=4)
