"""Every way a task comes and goes in one thread: made by each API, finished, failed, cancelled, collected."""

import asyncio
import functools
import gc
import sys
import warnings

from ledger import barrier, ledger, quiet, ready, run

warnings.simplefilter("ignore")  # coroutines dropped before they started
keep = []


class WithInit(asyncio.Task):
    def __init__(self, coro, *, loop=None):
        self.label = "with init"
        super().__init__(coro, loop=loop)


class WithoutInit(asyncio.Task):
    pass


class Service:
    async def handle(self):
        await asyncio.sleep(3600)

    @staticmethod
    async def static():
        await asyncio.sleep(3600)


async def finished():
    await asyncio.sleep(0)


async def waits():
    await asyncio.get_running_loop().create_future()


async def fails():
    raise ValueError("on purpose")


async def lingers():
    await asyncio.sleep(3600)


async def stubborn():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(3600)


async def cancelled():
    await asyncio.sleep(3600)


async def never_started():
    await asyncio.sleep(0)


async def done_but_held():
    return bytearray(100)


async def by_ensure_future():
    await asyncio.sleep(3600)


async def by_loop():
    await asyncio.sleep(3600)


async def by_lambda():
    await asyncio.sleep(3600)


async def by_gather():
    await asyncio.sleep(0)


async def by_wait_for():
    await asyncio.sleep(0)


async def by_subclass():
    await asyncio.sleep(3600)


async def by_subclass_with_init():
    await asyncio.sleep(3600)


async def in_group():
    await asyncio.sleep(0)


async def eager_finished():
    return 1


async def eager_waits():
    await asyncio.sleep(3600)


async def by_asyncio_run():
    await asyncio.sleep(0)


def alpha():
    pass


def beta():
    pass


def wrapped(function):
    @functools.wraps(function)
    async def inner():  # one code object, as many qualified names as functions
        await asyncio.sleep(3600)

    return inner


class Awaitable:
    def __await__(self):
        return (yield from asyncio.sleep(3600).__await__())


async def endings():
    for _ in range(50):
        ledger.made(asyncio.create_task(finished()))
    for _ in range(3):
        keep.append(ledger.made(asyncio.create_task(done_but_held())))
    for _ in range(4):
        ledger.made(asyncio.create_task(fails()))
    for _ in range(5):
        ledger.made(asyncio.create_task(waits()))
    doomed = [ledger.made(asyncio.create_task(cancelled())) for _ in range(6)]
    unmoved = [ledger.made(asyncio.create_task(stubborn())) for _ in range(2)]
    await asyncio.sleep(0)
    for task in doomed + unmoved:
        task.cancel()
    keep.extend(unmoved)
    await asyncio.wait(doomed)
    keep.extend(ledger.made(asyncio.create_task(lingers())) for _ in range(7))


async def makers():
    loop = asyncio.get_running_loop()
    service = Service()
    for _ in range(2):
        keep.append(ledger.made(asyncio.create_task(service.handle())))
        keep.append(ledger.made(asyncio.create_task(service.static())))
        keep.append(ledger.made(asyncio.ensure_future(by_ensure_future())))
        keep.append(ledger.made(loop.create_task(by_loop())))
        keep.append((lambda: ledger.made(asyncio.ensure_future(by_lambda())))())
        keep.append(ledger.made(asyncio.create_task(wrapped(alpha)())))
        keep.append(ledger.made(WithoutInit(by_subclass(), loop=loop)))
        keep.append(ledger.made(WithInit(by_subclass_with_init(), loop=loop), line=0))
    keep.append(ledger.made(asyncio.create_task(wrapped(beta)())))
    keep.append(ledger.made(asyncio.ensure_future(Awaitable())))
    await asyncio.gather(*[by_gather() for _ in range(10)])
    ledger.note("by_gather", 10)
    await asyncio.wait_for(by_wait_for(), 60)
    if sys.version_info < (3, 12):  # from 3.12 on the caller's own task awaits it (asyncio/tasks.py: wait_for)
        ledger.note("by_wait_for", 1)


async def group():
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            ledger.made(tasks.create_task(in_group()))


async def eager():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    for _ in range(9):
        ledger.made(asyncio.create_task(eager_finished()), "eager_finished")
    keep.extend(ledger.made(asyncio.create_task(eager_waits())) for _ in range(3))
    asyncio.get_running_loop().set_task_factory(None)


def drop_a_loop():
    loop = quiet(asyncio.new_event_loop())
    tasks = [ledger.made(loop.create_task(never_started())) for _ in range(11)]
    loop.close()
    del loop, tasks


def front_door():
    asyncio.run(by_asyncio_run())
    ledger.note("by_asyncio_run", 1)
    ledger.note("BaseEventLoop.shutdown_asyncgens", 1)
    if sys.version_info >= (3, 9):
        ledger.note("BaseEventLoop.shutdown_default_executor", 1)


ready()
loop = quiet(asyncio.new_event_loop())
run(loop, endings())
run(loop, makers())
if sys.version_info >= (3, 11):
    run(loop, group())
if sys.version_info >= (3, 12):
    run(loop, eager())
drop_a_loop()
front_door()
gc.collect()
barrier(ledger.truth(never_awaited={"never_started": 11}))
