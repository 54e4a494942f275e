"""100,000 tasks that are there before the tool, while others come and go: census_preexisting.py [PARKED] [PER SECOND]

Works from the start. At the first "go" it comes to rest and reports; then it ends every second one of the parked
tasks and reports again at the second; at the third it ends.
"""

import asyncio
import gc
import os
import sys
import time

import ledger
from census_stand import Listener, leave

PARKED = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
RATE = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
BATCH = 200
parked_tasks = []
ends = []


async def parked(end):
    await end


async def churned():
    await asyncio.sleep(0)


def park(loop):
    for _ in range(PARKED):
        end = loop.create_future()
        ends.append(end)
        parked_tasks.append(loop.create_task(parked(end)))


async def churn(stop):
    """RATE tasks a second: those that are late are made up for."""
    create, made, begun = asyncio.get_running_loop().create_task, 0, time.monotonic()
    while not stop.done():
        for _ in range(BATCH):
            create(churned())
        made += BATCH
        await asyncio.sleep(max(0, begun + made / RATE - time.monotonic()))
    for _ in range(3):
        await asyncio.sleep(0)
    return made


def truth(**more):
    gc.collect()
    names = [each.get_coro().__qualname__ for each in gc.get_objects() if type(each) is asyncio.Task]
    assert names.count("parked") == len(parked_tasks) and names.count("churned") == 0, len(names)
    tasks = {name: {"outstanding": names.count(name)} for name in ("parked", "churned", "main")}
    tasks["parked"]["preexisting"] = PARKED
    return {"processes": [{"pid": os.getpid(), "file": sys.argv[0], "tasks": tasks}], **more}


async def main():
    loop = asyncio.get_running_loop()
    park(loop)
    await asyncio.sleep(0)
    heard = asyncio.Semaphore(0)
    stop = loop.create_future()
    churning = asyncio.ensure_future(churn(stop))
    await asyncio.sleep(0.1)
    ledger.say({"ready": os.getpid(), "python": sys.version.split()[0], "parked": PARKED, "at_most": 3 * BATCH})
    Listener(loop, heard.release)
    await heard.acquire()
    stop.set_result(None)
    made = await churning
    del churning
    ledger.say(truth(made=made))
    await heard.acquire()
    for end in ends[::2]:
        end.set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del ends[::2], parked_tasks[::2]
    ledger.say(truth())
    await heard.acquire()


asyncio.new_event_loop().run_until_complete(main())
leave()
