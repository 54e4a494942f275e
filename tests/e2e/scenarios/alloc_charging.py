"""Whom a block is charged to: alloc_charging.py asyncio|uvloop

Tasks of every kind, other threads and their loops, callbacks outside any task, code outside any loop.
"""

import asyncio
import concurrent.futures.thread  # noqa: F401 (asyncio imports it when the first thread is asked for)
import functools
import os
import sys
import threading

from alloc_book import account, barrier, of_callback, outside, unwatched
from ledger import not_applicable, quiet, ready

EAGER = sys.version_info >= (3, 12)
kept = []


async def awaited(name):
    kept.append(account(name).bytes(20000))  # not a task of its own
    await asyncio.sleep(0)
    return account(name).malloc(20001)


async def awaits_helper():
    kept.append(await awaited("awaits_helper"))
    kept.append(account("awaits_helper").malloc(20002))


async def rows():
    yield account("iterates").malloc(20100)
    await asyncio.sleep(0)
    yield account("iterates").malloc(20101)


async def iterates():
    async for row in rows():
        kept.append(row)


class Subclass(asyncio.Task):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.payload = account("creates_subclass").malloc(20200)  # its creator runs


async def in_subclass():
    for _ in range(3):
        kept.append(account("in_subclass").malloc(20201))
        await asyncio.sleep(0)


async def creates_subclass():
    kept.append(account("creates_subclass").malloc(20202))
    task = Subclass(in_subclass(), loop=asyncio.get_running_loop())
    await task
    kept.append(task.payload)


async def raises():
    account("raises").malloc(20300).free()
    await asyncio.sleep(0)
    kept.append(account("raises").malloc(20301))
    raise ValueError


async def catches():
    for _ in range(5):
        try:
            await asyncio.get_running_loop().create_task(raises())
        except ValueError:
            kept.append(account("catches").malloc(20302))


async def cancelled():
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        kept.append(account("cancelled").malloc(20310))


async def cancels():
    task = asyncio.get_running_loop().create_task(cancelled())
    await asyncio.sleep(0)
    task.cancel()
    kept.append(account("cancels").malloc(20311))
    await asyncio.wait([task])
    kept.append(account("cancels").malloc(20312))


async def stops_the_program():
    kept.append(account("stops_the_program").malloc(20320))
    await asyncio.sleep(0)
    kept.append(account("stops_the_program").malloc(20321))
    raise KeyboardInterrupt  # leaves the step and the loop


async def eager_child():
    kept.append(account("eager_child").malloc(20400))
    await asyncio.sleep(0)
    kept.append(account("eager_child").malloc(20401))


async def eager_at_once():
    kept.append(account("eager_at_once").malloc(20402))


async def eager_parent():
    loop, book = asyncio.get_running_loop(), account("eager_parent")
    for function in (eager_at_once, eager_child, eager_at_once):
        kept.append(book.malloc(20403))
        task = asyncio.Task(function(), loop=loop, eager_start=True)
        kept.append(book.malloc(20404))
        await task
    kept.append(book.malloc(20405))


def in_worker(block):
    """In another thread: no event loop runs there."""
    block.free()
    return outside().malloc(20500), outside().bytes(20501)


async def uses_threads():
    book, loop = account("uses_threads"), asyncio.get_running_loop()
    for _ in range(4):
        mine, its = await loop.run_in_executor(None, in_worker, book.malloc(20502))
        mine.free()
        kept.append(its)
        kept.append(book.malloc(20503))


async def in_other_loop(started):
    book = account("in_other_loop")
    for number in range(20):
        kept.append(book.malloc(20600))
        await asyncio.sleep(0)
        if number == 10:
            started.set()


def other_thread(started):
    kept.append(outside().malloc(20601))
    loop = quiet(asyncio.new_event_loop())
    loop.run_until_complete(in_other_loop(started))
    kept.append(outside().malloc(20602))


async def waits_for_other_loop():
    """Both threads in the middle of a step."""
    book, started = account("waits_for_other_loop"), threading.Event()
    kept.append(book.malloc(20603))
    thread = threading.Thread(target=other_thread, args=(started,))
    thread.start()
    started.wait()
    for _ in range(20):
        kept.append(book.malloc(20604))
    thread.join()
    kept.append(book.malloc(20605))


async def nested():
    book = account("nested")
    kept.append(book.malloc(20700))
    await asyncio.sleep(0)
    kept.append(book.malloc(20701))


async def runs_nested():
    """A loop inside a step of another one on the same thread, as nest_asyncio does it."""
    book, loop, task = account("runs_nested"), asyncio.get_running_loop(), asyncio.current_task()
    kept.append(book.malloc(20702))
    asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    inner = quiet(type(loop)())
    inner.run_until_complete(nested())
    inner.close()
    asyncio._set_running_loop(loop)
    asyncio.tasks._enter_task(loop, task)
    kept.append(book.malloc(20703))
    await asyncio.sleep(0)
    kept.append(book.malloc(20704))


async def twice():
    kept.append(account("twice").malloc(20800))
    await asyncio.sleep(0)
    kept.append(account("twice").malloc(20801))


async def gathers():
    kept.extend([account("gathers").malloc(20802)])
    await asyncio.gather(*(twice() for _ in range(10)))


def helper(book, size):
    return book.malloc(size)


def ready_callback():
    kept.append(helper(of_callback(ready_callback), 21000))
    of_callback(ready_callback).bytes(21001).free()


def timer_callback(count):
    kept.append(helper(of_callback(timer_callback), 21100))
    if count:
        asyncio.get_running_loop().call_later(0.001, timer_callback, count - 1)


def partial_callback(size, extra):
    kept.append(helper(of_callback(partial_callback), size + extra))


def done_callback(task):
    kept.append(helper(of_callback(done_callback), 21300))


def readable_callback(end):
    os.read(end, 1)
    kept.append(of_callback(readable_callback).malloc(21400))


def from_thread_callback():
    kept.append(of_callback(from_thread_callback).malloc(21500))


def failing_callback():
    kept.append(of_callback(failing_callback).malloc(21600))
    raise ValueError


def freeing_callback(block):
    block.free()
    kept.append(of_callback(freeing_callback).malloc(21700))


class Service:
    def tick(self):
        kept.append(helper(of_callback(Service.tick), 21800))


async def watched_by_callback():
    kept.append(account("watched_by_callback").malloc(21301))


async def schedules():
    """Everything that runs outside any task, one after the other."""
    loop, book = asyncio.get_running_loop(), account("schedules")
    loop.call_soon(ready_callback)
    loop.call_soon(failing_callback)
    loop.call_soon(functools.partial(partial_callback, 21200, extra=1))
    loop.call_soon(freeing_callback, book.malloc(21701))
    loop.call_soon(Service().tick)
    loop.call_soon(timer_callback, 3)
    source, sink = os.pipe()
    loop.add_reader(source, readable_callback, source)
    os.write(sink, b"x")
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(from_thread_callback,))
    thread.start()
    thread.join()
    task = loop.create_task(watched_by_callback())
    task.add_done_callback(done_callback)
    await task
    while len([each for each in kept if each.account is of_callback(timer_callback)]) < 4:
        await asyncio.sleep(0)
    loop.remove_reader(source)
    kept.append(book.malloc(21702))


async def from_before(gate):
    unwatched.malloc(22000)
    await gate
    for _ in range(5):
        kept.append(account("from_before").malloc(22001))
        await asyncio.sleep(0)


async def main(old):
    loop = asyncio.get_running_loop()
    functions = [awaits_helper, iterates, creates_subclass, catches, cancels, uses_threads, waits_for_other_loop,
                 gathers, schedules]  # fmt: skip
    if EAGER:
        functions.append(eager_parent)
    if isinstance(loop, asyncio.SelectorEventLoop):
        functions.append(runs_nested)  # libuv's loops do not nest
    await asyncio.gather(*(loop.create_task(each()) for each in functions))
    await old


async def takes_back():
    for block in kept[::3]:
        block.free()
    del kept[::3]


def new_loop():
    if sys.argv[1] == "asyncio":
        return asyncio.new_event_loop()
    try:
        import uvloop
    except ImportError:
        not_applicable("no uvloop for this interpreter")
    return uvloop.new_event_loop()


async def first_thread():
    """The pool's thread is there, and so is what it allocates for itself."""
    await asyncio.get_running_loop().run_in_executor(None, int)


loop = quiet(new_loop())
gate = loop.create_future()
old = loop.create_task(from_before(gate))
loop.run_until_complete(first_thread())
ready()
gate.set_result(None)
loop.run_until_complete(main(old))
kept.append(outside().malloc(23000))
try:
    loop.run_until_complete(stops_the_program())
except KeyboardInterrupt:
    kept.append(outside().malloc(23001))
barrier()
loop.run_until_complete(takes_back())
barrier()
