"""The constructor's dark corners: by keyword, twice on one object, and objects that come back from the dead."""

import asyncio
import gc
import os
import sys

from ledger import barrier, ledger, quiet, ready, run

keep = []


class Phoenix(asyncio.Task):
    def __del__(self):
        keep.append(self)


async def by_keyword():
    await asyncio.sleep(3600)


async def first_life():
    await asyncio.sleep(3600)


async def second_life():
    await asyncio.sleep(3600)


async def risen():
    await asyncio.get_running_loop().create_future()


async def finished():
    pass


async def rise():
    loop = asyncio.get_running_loop()
    for _ in range(4):
        Phoenix(risen(), loop=loop)  # in a cycle: the collector finds it
    for _ in range(3):
        await Phoenix(finished(), loop=loop)  # the last reference goes: so does tp_dealloc, half-way


ready()
loop = quiet(asyncio.new_event_loop())
for _ in range(3):
    keep.append(ledger.made(asyncio.Task(coro=by_keyword(), loop=loop)))

# Weak references are cleared before an object comes back, so these cannot be watched: the census sees them.
run(quiet(asyncio.new_event_loop()), rise())
gc.collect()
ledger.note("risen", 4, destroyed=0)
ledger.note("finished", 3, destroyed=0)

# A second __init__ is a new life of the same object: the first one counts as ended.
unstarted = first_life()
twice = asyncio.Task(unstarted, loop=loop)
if sys.version_info >= (3, 15):
    ledger.note("first_life", 1, destroyed=0)  # 3.15 refuses it: RuntimeError
else:
    twice.__init__(second_life(), loop=loop)
    ledger.note("first_life", 1)
    ledger.note("second_life", 1, destroyed=0)
barrier(ledger.truth())
os._exit(0)  # the first coroutine was never started: no complaint about it
