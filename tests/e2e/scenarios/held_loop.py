"""Steps of known length, and tasks lost on purpose: how many of each, by the program's own book.

    held_loop.py [asyncio|uvloop]

What is lost is counted by CPython itself: "Task was destroyed but it is pending!" of the loop's exception handler.
Speaks as ledger.py does. The steps that are slow last LONG_S, all others at most SHORT_S: choose a threshold between.
"""

import asyncio
import collections
import gc
import os
import sys
import threading
import time
import warnings

from ledger import not_applicable, ready, say, wait_for_go

warnings.simplefilter("ignore")
SHORT_S, LONG_S = 0.002, 0.25
slow, lost = collections.Counter(), collections.Counter()
keep = []


def works(name):
    """A step of NAME that is slow."""
    slow[name] += 1
    time.sleep(LONG_S)


async def mixed():
    for i in range(12):
        time.sleep(SHORT_S)
        if i % 6 == 0:
            works("mixed")
        await asyncio.sleep(0)


async def waits_then_works(future):
    await future
    works("waits_then_works")


async def fails_slowly():
    works("fails_slowly")
    raise ValueError("on purpose")


async def slow_in_the_end():
    try:
        await asyncio.sleep(3600)
    finally:
        works("slow_in_the_end")  # the step of its cancellation


async def healthy():
    for _ in range(200):
        await asyncio.sleep(0)


async def eager_slow():
    works("eager_slow")
    await asyncio.sleep(0)


async def interrupted():
    works("interrupted")
    raise KeyboardInterrupt


async def lost_in_a_cycle():
    await asyncio.get_running_loop().create_future()


async def lost_by_count(future):
    await future


async def never_started():
    pass


async def finished():
    return 1


class Derived(asyncio.Task):
    pass


def complaint(loop, context):
    if "destroyed" in context["message"]:
        lost[context["task"].get_coro().__qualname__] += 1


def new_loop():
    if len(sys.argv) > 1 and sys.argv[1] == "uvloop":
        try:
            import uvloop
        except ImportError:
            not_applicable("no uvloop here")
        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    loop.set_exception_handler(complaint)
    return loop


async def holds():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    several = [loop.create_task(waits_then_works(future)) for _ in range(3)]
    several.append(loop.create_task(mixed()))
    several.append(loop.create_task(fails_slowly()))
    several.append(loop.create_task(healthy()))
    ended = loop.create_task(slow_in_the_end())
    await asyncio.sleep(0)
    future.set_result(None)
    ended.cancel()
    await asyncio.gather(*several, ended, return_exceptions=True)


async def loses():
    loop = asyncio.get_running_loop()
    for _ in range(9):
        loop.create_task(lost_in_a_cycle())
    for _ in range(4):
        Derived(lost_in_a_cycle(), loop=loop)
    for _ in range(20):
        loop.create_task(finished())
    keep.append(loop.create_task(lost_by_count(loop.create_future())))
    for _ in range(3):  # no task came of it: nothing was lost
        try:
            asyncio.Task(3, loop=loop)
        except TypeError:
            pass
    await asyncio.sleep(0.01)
    gc.collect()
    doomed = [loop.create_task(lost_by_count(loop.create_future())) for _ in range(3)]
    await asyncio.sleep(0)
    for task in doomed:
        task.cancel()  # finished, then gone
    await asyncio.wait(doomed)


def drop_a_loop():
    loop = new_loop()
    tasks = [loop.create_task(never_started()) for _ in range(6)]
    loop.close()
    del loop, tasks
    gc.collect()


def in_a_thread():
    loop = new_loop()
    loop.run_until_complete(mixed())
    loop.close()


async def eager():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    begun = slow["eager_slow"]
    tasks = [asyncio.create_task(eager_slow()) for _ in range(2)]
    if slow["eager_slow"] > begun:  # within this step (not with every uvloop)
        slow["eager"] += 1
    await asyncio.gather(*tasks)
    asyncio.get_running_loop().set_task_factory(None)


def book():
    return {"pid": os.getpid(), "slow": dict(slow), "lost": dict(lost), "long_s": LONG_S}


loop = new_loop()
ready()
loop.run_until_complete(holds())
thread = threading.Thread(target=in_a_thread)
thread.start()
thread.join()
loop.run_until_complete(loses())
if sys.version_info >= (3, 12):
    loop.run_until_complete(eager())
drop_a_loop()
say({"processes": [book()]})
wait_for_go()


async def goes_on():
    say({"running": "goes_on"})
    wait_for_go()
    slow["goes_on"] += 1


def interrupt():
    try:
        loop.run_until_complete(interrupted())
    except KeyboardInterrupt:
        pass


loop.run_until_complete(goes_on())
interrupt()
say({"processes": [book()]})
wait_for_go()
# Now it just ends, with `keep` and a loop full of tasks: they go with the interpreter, nobody lost them.
keep.extend(loop.create_task(lost_by_count(loop.create_future())) for _ in range(5))
