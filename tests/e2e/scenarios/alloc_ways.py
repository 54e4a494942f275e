"""Every way to ask the C library for memory and to give it back, each in a coroutine of its own.

Two phases: all that is asked for, then half of what is left given back by somebody else.
"""

import asyncio
import ctypes

from alloc_book import HUGE, account, barrier, outside, unwatched, with_gil, without_gil
from ledger import quiet, ready

kept = []


async def keeps():
    book = account("keeps")
    for number in range(10):
        kept.append(book.bytes(20000 + number))
        kept.append(book.repeated(20000 + number))
        await asyncio.sleep(0)


async def frees_all():
    book = account("frees_all")
    for _ in range(20):
        block, other = book.bytes(21000), book.malloc(21001)
        await asyncio.sleep(0)
        block.free()
        other.free()


async def holds_the_lock():
    book = account("holds_the_lock")
    kept.append(book.malloc(22000, library=with_gil))
    book.malloc(22001, library=with_gil).free(library=with_gil)
    book.malloc(22002, library=with_gil).free()


async def gives_away(queue):
    book = account("gives_away")
    for _ in range(10):
        await queue.put(book.bytes(23000))
        await queue.put(book.malloc(23001))
    await queue.put(None)
    kept.append(book.malloc(23002))


async def takes_over(queue):
    book = account("takes_over")
    while True:
        block = await queue.get()
        if block is None:
            break
        block.free()
    kept.append(book.malloc(23003))


async def by_calloc():
    book = account("by_calloc")
    kept.append(book.call("calloc", 100, 250, size=25000))
    kept.append(book.call("calloc", 1, 25001, size=25001))
    kept.append(book.call("calloc", 25002, 1, size=25002))
    book.call("calloc", 2, 12501, size=25002).free()


async def by_realloc():
    book = account("by_realloc")
    block = book.malloc(26000)
    for size in (26000, 60000, 200000, 9000000, 150000, 30000, 17000):  # past the size of mmap and back
        block = book.realloc(block, size)
    kept.append(block)
    kept.append(book.call("realloc", None, 26001, size=26001))
    kept.append(book.call("reallocarray", None, 13, 2002, size=26026))
    kept.append(book.realloc(book.malloc(26002), 52004, library=with_gil))


async def reallocs_to_nothing():
    """In glibc realloc(p, 0) is free(p) (malloc/malloc.c, REALLOC_ZERO_BYTES_FREES)."""
    book = account("reallocs_to_nothing")
    block = book.malloc(27000)
    assert without_gil.realloc(block.pointer, 0) is None
    book.gave(27000)


async def crosses_the_threshold():
    """A block that shrinks below --min-size is no longer counted, one that grows past it is."""
    book = account("crosses_the_threshold")
    kept.append(book.realloc(book.malloc(28000), 100))
    kept.append(book.realloc(unwatched.malloc(100), 28001))
    kept[-2].account = unwatched


async def reallocs_of_others(block):
    book = account("reallocs_of_others")
    kept.append(book.realloc(block, 29001))


async def lends():
    await asyncio.get_running_loop().create_task(reallocs_of_others(account("lends").malloc(29000)))


async def asks_for_nothing():
    """Zero sizes, and the ends of nothing: no site for them."""
    for pointer in (without_gil.malloc(0), without_gil.calloc(0, 8), without_gil.calloc(8, 0),
                    without_gil.realloc(None, 0), without_gil.aligned_alloc(64, 0)):  # fmt: skip
        without_gil.free(pointer)
    without_gil.free(None)
    with_gil.free(None)


async def asks_for_too_much():
    book = account("asks_for_too_much")
    block = book.malloc(30000)
    assert without_gil.malloc(HUGE) is None
    assert without_gil.calloc(HUGE, 1) is None
    assert without_gil.calloc(1 << 33, 1 << 33) is None  # their product overflows
    assert without_gil.realloc(block.pointer, HUGE) is None  # the block stays
    assert without_gil.reallocarray(block.pointer, 1 << 33, 1 << 33) is None
    assert without_gil.aligned_alloc(64, HUGE) is None
    assert without_gil.memalign(64, HUGE) is None
    out = ctypes.c_void_p(1)
    assert without_gil.posix_memalign(ctypes.addressof(out), 64, HUGE) != 0
    assert without_gil.posix_memalign(ctypes.addressof(out), 3, 30001) != 0  # no power of two
    try:
        bytes(1 << 61)
    except MemoryError:
        kept.append(block)


async def aligned():
    book = account("aligned")
    blocks = [
        book.call("aligned_alloc", 64, 31040, size=31040),
        book.call("aligned_alloc", 4096, 32768, size=32768),
        book.call("memalign", 1024, 31001, size=31001),
        book.call("valloc", 31002, size=31002),
        book.posix_memalign(64, 31003),
        book.posix_memalign(65536, 31004),
    ]
    book.call("aligned_alloc", 64, 31040, size=31040).free()
    book.posix_memalign(4096, 400000).free()
    kept.extend(blocks)
    kept.append(book.realloc(book.posix_memalign(128, 31005), 62000))


async def by_mmap():
    book = account("by_mmap")
    kept.append(book.bytes(5000000))
    for size in (140000, 1 << 20, 40 << 20):
        book.malloc(size).free()


async def ends_old_ones(old):
    """What was there before the tool has no site, and its end changes nothing."""
    book = account("ends_old_ones")
    for block in old[:5]:
        block.free()
    kept.append(book.realloc(old[5], 33000))
    old[6].free(library=with_gil)


async def takes_back():
    for block in kept[::2]:
        block.free()
    del kept[::2]


async def main(old):
    queue = asyncio.Queue()
    loop = asyncio.get_running_loop()
    single = (keeps, frees_all, holds_the_lock, by_calloc, by_realloc, reallocs_to_nothing, crosses_the_threshold,
              lends, asks_for_nothing, asks_for_too_much, aligned, by_mmap)  # fmt: skip
    tasks = [loop.create_task(each()) for each in single]
    tasks += [loop.create_task(gives_away(queue)), loop.create_task(takes_over(queue))]
    tasks.append(loop.create_task(ends_old_ones(old)))
    for task in tasks:
        await task


old = [unwatched.bytes(20000) for _ in range(3)] + [unwatched.malloc(24000) for _ in range(4)]
loop = quiet(asyncio.new_event_loop())
loop.run_until_complete(asyncio.sleep(0))
ready()
loop.run_until_complete(main(old))
barrier()
loop.run_until_complete(takes_back())
kept.append(outside().malloc(34000))
barrier()
