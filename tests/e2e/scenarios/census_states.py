"""Tasks in every state, by coroutine: pending, finished, failed, cancelled, asked to cancel and still there."""

import asyncio
import sys

from census_book import census, detail
from census_stand import in_callback, leave, new_loop

keep = []
named = []


class Service:
    async def handle(self):
        await asyncio.sleep(3600)

    @classmethod
    async def shared(cls):
        await asyncio.sleep(3600)


class OwnTask(asyncio.Task):
    def __init__(self, coroutine, *, loop):
        self.label = "own"
        super().__init__(coroutine, loop=loop)


def factory():
    async def inner():
        await asyncio.sleep(3600)

    return inner


async def parked():
    await asyncio.get_running_loop().create_future()


async def returns(value):
    await asyncio.sleep(0)
    return value


async def fails():
    raise ValueError("on purpose")


async def is_cancelled():
    await asyncio.sleep(3600)


async def cancels_itself():
    raise asyncio.CancelledError


async def swallows():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


async def told_to_stop():
    await asyncio.get_running_loop().create_future()


async def cancelled_unstarted():
    await asyncio.sleep(3600)


async def unstarted():
    await asyncio.sleep(3600)


async def задача():  # two bytes a character
    await asyncio.get_running_loop().create_future()


async def 𠮷():  # four
    await asyncio.get_running_loop().create_future()


async def eager():
    await asyncio.get_running_loop().create_future()


def start(count, function, *arguments):
    made = [asyncio.ensure_future(function(*arguments)) for _ in range(count)]
    keep.extend(made)
    return made


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def build(loop):
    service = Service()
    start(7, parked)
    start(4, service.handle)
    start(2, Service.shared)
    start(3, factory())
    start(2, задача)
    start(1, 𠮷)
    start(4, fails)
    start(1, cancels_itself)
    doomed = start(3, is_cancelled) + start(2, swallows)
    keep.extend(OwnTask(parked(), loop=loop) for _ in range(2))
    keep.extend(loop.create_future() for _ in range(20))  # no tasks
    await results()
    await settle()
    for task in doomed:
        task.cancel()
    await settle()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
        start(3, eager)
        loop.set_task_factory(None)
    names()


def names():
    (task,) = start(1, parked)
    number = int(task.get_name()[len("Task-"):])
    for offset in (1, 2):  # nobody has asked these for their names yet: from 3.12 on they have none but a number
        (task,) = start(1, parked)
        named.append((task, "Task-%d" % (number + offset)))
    for name in ("worker", "naïve", "задача № 1", "emoji \N{SNAKE}", "x" * 100):
        (task,) = start(1, parked)
        task.set_name(name)
        named.append((task, name))


async def results():
    for value in (None, 7, "text" * 100, b"x" * 5000, list(range(300)), {"key": "value"}):
        (task,) = start(1, returns, value)
        task.set_name("result %s" % type(value).__name__)
        named.append((task, task.get_name()))
        await task


def result_of(task):
    if not task.done():
        return None
    value = task.result()
    return {"type": type(value).__qualname__, "length": len(value) if hasattr(value, "__len__") else None}


def count(full):
    details = []
    for task, name in named:
        assert not full or task.get_name() == name, (task, name)
        details.append(detail(task, name=name, result=result_of(task)))
    return census(details)


loop = new_loop()
loop.run_until_complete(build(loop))


def at_the_last_moment():
    """What would not outlive one turn of the loop."""
    for task in [each for each in keep if isinstance(each, asyncio.Task)]:
        if task.get_coro().__qualname__ == "told_to_stop":
            task.cancel()
    for task in start(3, cancelled_unstarted):
        task.cancel()
    start(5, unstarted)


loop.call_soon(start, 2, told_to_stop)
loop.run_until_complete(settle())
loop.call_soon(at_the_last_moment)
in_callback(loop, count)
leave()
