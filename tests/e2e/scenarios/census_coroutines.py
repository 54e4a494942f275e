"""Coroutines never started and async generators left half-read, among all that looks like them."""

import asyncio

from census_book import census, closed_unstarted
from census_stand import in_select, leave, new_loop

keep = []


class Mailer:
    async def send(self, to):
        await asyncio.sleep(0)


def factory():
    async def inner():
        pass

    return inner


async def forgotten(number):
    await asyncio.sleep(0)


async def half_run():
    await asyncio.get_running_loop().create_future()


async def finished():
    pass


async def of_a_task():
    await asyncio.get_running_loop().create_future()


def plain_generator():
    yield 1


async def rows(count):
    for number in range(count):
        yield number


async def pages():
    async for row in rows(3):
        yield row


async def blocked():
    yield 1
    await asyncio.get_running_loop().create_future()


class Cursor:
    def __init__(self, table):
        self.table = table

    async def fetch(self):
        try:
            while True:
                yield self.table
        finally:
            await asyncio.sleep(0)


def never_started():
    keep.extend(forgotten(number) for number in range(37))
    keep.append({"later": [Mailer().send("somebody") for _ in range(11)]})
    keep.append(tuple(factory()() for _ in range(3)))


def look_alikes():
    half = half_run()
    half.send(None)
    done = finished()
    try:
        done.send(None)
    except StopIteration:
        pass
    closed = forgotten(0)
    closed.close()
    closed_unstarted.append(closed)
    started = plain_generator()
    next(started)
    keep.extend((half, done, started, plain_generator(), rows(5), Cursor("unread").fetch()))
    keep.extend(asyncio.ensure_future(of_a_task()) for _ in range(4))


async def take(generator):
    await generator.__anext__()


async def read_one(generators):
    for generator in generators:
        await generator.__anext__()
        keep.append(generator)


async def build():
    never_started()
    look_alikes()
    await read_one([rows(9) for _ in range(23)])
    await read_one([pages() for _ in range(5)])  # each holds one of rows()
    await read_one([Cursor("users").fetch() for _ in range(2)])
    in_an_await = [blocked() for _ in range(3)]
    await read_one(in_an_await)
    keep.extend(asyncio.ensure_future(take(generator)) for generator in in_an_await)
    read_to_the_end = rows(2)
    async for _ in read_to_the_end:
        pass
    closed = rows(2)
    await read_one([closed])
    await closed.aclose()
    keep.extend((read_to_the_end, closed))
    await asyncio.sleep(0)


loop = new_loop()
loop.run_until_complete(build())
in_select(loop, lambda full: census())
leave()
