"""A fork in the middle of a task's step: what the child frees and allocates is not the parent's."""

import asyncio
import os

from alloc_book import account, barrier, with_gil, without_gil
from ledger import quiet, ready

kept = []


def child():
    """The same task, the same addresses, another process."""
    for block in kept:
        without_gil.free(block.pointer)
    for size in (20000, 21000, 22000):
        assert without_gil.malloc(size)
        with_gil.free(with_gil.malloc(size))
    os._exit(0)


async def forks():
    book = account("forks")
    kept.extend(book.malloc(20000) for _ in range(10))
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            child()
        kept.append(book.malloc(21000))
        assert os.waitpid(pid, 0)[1] == 0
        book.malloc(22000).free()
        await asyncio.sleep(0)
    kept.pop(0).free()


loop = quiet(asyncio.new_event_loop())
ready()
loop.run_until_complete(forks())
barrier()
