"""Producers are faster than the consumer, and a queue of 50 makes them wait."""

import asyncio

from service import row_of_type, serve

queue = asyncio.Queue(50)


async def produce(number):
    while True:
        await queue.put({"from": number, "body": bytes(500)})


async def start():
    start.producers = [asyncio.ensure_future(produce(number)) for number in range(8)]


async def consume(number):
    await queue.get()


serve(consume, lambda: row_of_type("queue", "asyncio.queues.Queue", queue.qsize()), rate=40, start=start)
