"""Queues with their lengths and waiters; waiters on locks, events, conditions and semaphores."""

import asyncio

from census_book import census
from census_stand import in_select, leave, new_loop

keep = {}


class OwnQueue(asyncio.Queue):
    pass


async def get(queue):
    await queue.get()


async def put(queue, item):
    await queue.put(item)


async def join(queue):
    await queue.join()


async def take(lock):
    await lock.acquire()


async def wait_for(event):
    await event.wait()


async def wait_in(condition):
    async with condition:
        await condition.wait()


def start(count, function, *arguments):
    keep.setdefault("tasks", []).extend(asyncio.ensure_future(function(*arguments)) for _ in range(count))


def fill(queue, count):
    for number in range(count):
        queue.put_nowait(number)
    return queue


async def queues():
    keep["unbounded"] = fill(asyncio.Queue(), 1234)
    keep["empty"] = asyncio.Queue()
    full = keep["full"] = fill(asyncio.Queue(20), 20)
    start(6, put, full, 1)
    starving = keep["starving"] = asyncio.Queue(maxsize=5)
    start(3, get, starving)
    keep["by priority"] = fill(asyncio.PriorityQueue(), 77)
    keep["stack"] = fill(asyncio.LifoQueue(100), 42)
    keep["own"] = fill(OwnQueue(), 8)
    start(2, join, keep["own"])
    used = keep["used"] = fill(asyncio.Queue(), 500)  # its deque begins in the middle of a block
    for _ in range(333):
        used.get_nowait()
    start(1, get, keep["empty"])


async def syncs():
    lock = keep["lock"] = asyncio.Lock()
    await lock.acquire()
    start(7, take, lock)
    keep["free lock"] = asyncio.Lock()
    event = keep["event"] = asyncio.Event()
    start(5, wait_for, event)
    is_set = keep["set event"] = asyncio.Event()
    is_set.set()
    condition = keep["condition"] = asyncio.Condition()
    start(4, wait_in, condition)
    semaphore = keep["semaphore"] = asyncio.Semaphore(1)
    start(4, take, semaphore)  # the first one gets it
    bounded = keep["bounded"] = asyncio.BoundedSemaphore(2)
    start(5, take, bounded)


async def build():
    await queues()
    await syncs()
    for _ in range(5):
        await asyncio.sleep(0)


loop = new_loop()
loop.run_until_complete(build())
in_select(loop, lambda full: census())
leave()
