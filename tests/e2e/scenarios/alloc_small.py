"""Small blocks, which the C library never sees: Python's own allocator serves them.

Each has at least 440 bytes (--min-size), more than what the interpreter needs for itself in these coroutines.
"""

import asyncio

from alloc_book import Account, account, barrier
from ledger import quiet, ready

COUNT = 1000
kept = [None] * (2 * COUNT)


async def keeps_small(book):
    for number in range(COUNT):
        kept[number] = book.bytes(430 + number % 40)


async def frees_small(book):
    for number in range(10 * COUNT):
        book.repeated(430 + number % 40).free()


async def keeps_both(book):
    """On either side of the largest that Python serves itself, 512 bytes."""
    for number in range(COUNT):
        kept[COUNT + number] = book.repeated(450 + number % 60)


async def takes_back():
    for number in range(0, 2 * COUNT, 2):
        kept[number].free()
        kept[number] = None


async def main(account):
    loop = asyncio.get_running_loop()
    for task in [loop.create_task(each(account(each.__name__))) for each in (keeps_small, frees_small, keeps_both)]:
        await task


def rehearsal(name):
    return Account("task", name)


loop = quiet(asyncio.new_event_loop())
for _ in range(COUNT):
    loop.call_soon(int)  # the queue's deque keeps some of the blocks of 528 bytes that it once had
loop.run_until_complete(main(rehearsal))  # to 3.10 a code's first frame is an object that it keeps
ready()
loop.run_until_complete(main(account))
barrier()
loop.run_until_complete(takes_back())
barrier()
