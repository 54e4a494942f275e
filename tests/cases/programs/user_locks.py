"""A lock for each user, so that nobody is served twice at once, kept for ever. Twin: dropped when nobody holds it."""

import asyncio

from service import FIXED, objects_of, row_of_type, serve

locks = {}


async def serve_user(user):
    lock = locks.setdefault(user, asyncio.Lock())
    async with lock:
        await asyncio.sleep(0.002)
    if FIXED and not lock.locked():
        del locks[user]


async def request(number):
    await serve_user("user-%d" % number)


serve(request, lambda: row_of_type("container", "asyncio.locks.Lock", objects_of(asyncio.Lock)), rate=30)
