"""The gauges of several loops: one that runs in its thread, one that rests, one with an executor that is behind."""

import asyncio
import concurrent.futures
import threading

from census_book import census
from census_stand import in_select, leave, new_loop

keep = []
blocked = threading.Event()


async def parked():
    await asyncio.get_running_loop().create_future()


async def rows():
    yield 1
    yield 2


def tick():
    pass


async def half_read(count):
    for _ in range(count):
        generator = rows()
        await generator.__anext__()
        keep.append(generator)


def occupy(loop):
    """One job that does not end, and 31 behind it."""
    executor = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    loop.set_default_executor(executor)
    begun = threading.Event()

    def job():
        begun.set()
        blocked.wait()

    loop.run_in_executor(None, job)
    begun.wait()
    for _ in range(31):
        keep.append(executor.submit(tick))


def in_thread():
    loop = asyncio.new_event_loop()
    resting = threading.Event()

    async def main():
        await half_read(4)
        keep.extend(loop.call_later(3600, tick) for _ in range(6))
        keep.extend(asyncio.ensure_future(parked()) for _ in range(9))
        loop.call_later(0.01, resting.set)
        await parked()

    def run():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())

    threading.Thread(target=run, daemon=True).start()
    resting.wait()
    return loop


def at_rest():
    """A loop nobody runs at the moment, with work in it."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(half_read(2))
    for _ in range(3):
        loop.call_later(3600, tick)
    for _ in range(5):
        loop.call_soon(tick)
    keep.append(loop)


async def build(loop):
    await half_read(3)
    occupy(loop)
    keep.extend(loop.call_later(3600, tick) for _ in range(11))


def count(full):
    return census()


closed = asyncio.new_event_loop()
closed.close()
loop = new_loop()
in_thread()
at_rest()
loop.run_until_complete(build(loop))
in_select(loop, count)
blocked.set()
leave()
