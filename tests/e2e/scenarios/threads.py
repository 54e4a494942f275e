"""Several threads, each with a loop of its own, creating and dropping tasks at the same time."""

import asyncio
import gc
import threading

from ledger import barrier, ledger, quiet, ready, run

THREADS = 6
ROUNDS = 200
keep = []


async def short():
    await asyncio.sleep(0)


async def held():
    await asyncio.get_running_loop().create_future()


async def work():
    for number in range(ROUNDS):
        await ledger.made(asyncio.create_task(short()))
        if number % 20 == 0:
            keep.append(ledger.made(asyncio.create_task(held())))
            await asyncio.sleep(0)


def thread():
    loop = quiet(asyncio.new_event_loop())
    run(loop, work())
    keep.append(loop)


ready()
threads = [threading.Thread(target=thread) for _ in range(THREADS)]
for each in threads:
    each.start()
for each in threads:
    each.join()
gc.collect()
barrier(ledger.truth())
