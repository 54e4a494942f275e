"""A queue without a bound, and a consumer that is ten times slower than the producer. Twin: a bound of 20."""

import asyncio

import service
from service import FIXED, row_of_type, serve

queue = None


async def consume():
    while not service.at_rest:
        await queue.get()
        await asyncio.sleep(0.2)


async def start():
    global queue
    queue = asyncio.Queue(20 if FIXED else 0)
    start.consumer = asyncio.ensure_future(consume())


async def request(number):
    await queue.put(bytes(2000))


serve(request, lambda: row_of_type("queue", "asyncio.queues.Queue", queue.qsize()), start=start)
