"""alloc_churn.py COUNT: so many allocations by tasks in turn and a thread beside them; a few of them stay.

The same addresses come back again and again.
"""

import asyncio
import ctypes
import os
import sys

from alloc_book import account, barrier, outside
from ledger import quiet, ready

ROUNDS, KEPT = 100, 3
PAUSE_S = 0.15  # a program that did nothing but allocate would cost its watcher more than a core
blocks = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "alloc_blocks.so"))
blocks.churn.argtypes = (ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)


def churn(book, count, size, kept=0):
    assert blocks.churn(count, size, kept) == 0
    book.took(size, count)
    book.gave(size, count - kept)


async def flat(count):
    for _ in range(ROUNDS):
        churn(account("flat"), count, 16500)
        await asyncio.sleep(PAUSE_S)


async def keeping(count):
    for _ in range(ROUNDS):
        churn(account("keeping"), count, 16501, KEPT)
        await asyncio.sleep(PAUSE_S)


async def by_mmap(count):
    for _ in range(ROUNDS):
        churn(account("by_mmap"), count, 140000)
        await asyncio.sleep(PAUSE_S)


async def beside(count):
    """In another thread at the same time."""
    for _ in range(ROUNDS):
        await asyncio.get_running_loop().run_in_executor(None, churn, outside(), count, 16502)
        await asyncio.sleep(PAUSE_S)


async def main(count):
    loop = asyncio.get_running_loop()
    shares = {flat: 40, keeping: 40, beside: 19, by_mmap: 1}
    tasks = [loop.create_task(each(count // ROUNDS * share // 100)) for each, share in shares.items()]
    await asyncio.gather(*tasks)


async def first_thread():
    """The pool's thread is there, and so is what it allocates for itself."""
    await asyncio.get_running_loop().run_in_executor(None, int)


loop = quiet(asyncio.new_event_loop())
loop.run_until_complete(first_thread())
ready()
loop.run_until_complete(main(int(sys.argv[1])))
barrier()
