"""A lock for each of the last 100 customers, an LRU that fills in the first 10 s."""

import asyncio
import collections

from service import objects_of, row_of_type, serve

locks = collections.OrderedDict()


def lock_of(customer):
    lock = locks.setdefault(customer, asyncio.Lock())
    locks.move_to_end(customer)
    while len(locks) > 100:
        locks.popitem(last=False)
    return lock


async def request(number):
    async with lock_of("customer-%d" % number):
        await asyncio.sleep(0.001)


serve(request, lambda: row_of_type("container", "asyncio.locks.Lock", objects_of(asyncio.Lock)), rate=12)
