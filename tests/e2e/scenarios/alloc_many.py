"""alloc_many.py COUNT SIZE: so many blocks that live at the same time; then none."""

import asyncio
import ctypes
import os
import sys

from alloc_book import account, barrier
from ledger import quiet, ready

count, size = int(sys.argv[1]), int(sys.argv[2])
blocks = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "alloc_blocks.so"))
blocks.hold.argtypes = (ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong)
blocks.drop.argtypes = (ctypes.c_void_p, ctypes.c_ulong)
pointers = (ctypes.c_void_p * count)()


async def holds():
    assert blocks.hold(pointers, count, size) == 0
    account("holds").took(size, count)


async def drops():
    blocks.drop(pointers, count)
    account("holds").gave(size, count)


loop = quiet(asyncio.new_event_loop())
ready()
loop.run_until_complete(holds())
barrier()
loop.run_until_complete(drops())
barrier()
