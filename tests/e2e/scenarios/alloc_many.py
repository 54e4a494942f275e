"""alloc_many.py COUNT SIZE: so many blocks that live at the same time; then none."""

import asyncio
import ctypes
import os
import sys

from alloc_book import account, barrier
from ledger import quiet, ready

PORTION, PAUSE_S = 20000, 0.02
count, size = int(sys.argv[1]), int(sys.argv[2])
blocks = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "alloc_blocks.so"))
blocks.hold.argtypes = (ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong)
blocks.drop.argtypes = (ctypes.c_void_p, ctypes.c_ulong)
pointers = (ctypes.c_void_p * count)()


def portions():
    """(where it begins, how many): a program that does nothing but allocate costs its watcher a whole core."""
    for first in range(0, count, PORTION):
        yield ctypes.addressof(pointers) + first * ctypes.sizeof(ctypes.c_void_p), min(PORTION, count - first)


async def holds():
    for place, share in portions():
        assert blocks.hold(place, share, size) == 0
        account("holds").took(size, share)
        await asyncio.sleep(PAUSE_S)


async def drops():
    for place, share in portions():
        blocks.drop(place, share)
        account("holds").gave(size, share)
        await asyncio.sleep(PAUSE_S)


loop = quiet(asyncio.new_event_loop())
ready()
loop.run_until_complete(holds())
barrier()
loop.run_until_complete(drops())
barrier()
