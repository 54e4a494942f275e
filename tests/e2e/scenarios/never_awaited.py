"""Coroutines destroyed without ever having been awaited, in every way; no task at all in this process.

Three counts must agree before the truth is told: what was dropped (counted where it is dropped), what the
runtime warned of where its hook could be replaced, and that what was awaited or closed warned of nothing.
"""

import collections
import functools
import gc
import sys
import threading
import warnings

from ledger import barrier, ledger, ready

dropped = collections.Counter()
warned = collections.Counter()
original = warnings._warn_unawaited_coroutine


def drop(coroutine):
    """The caller's is the last reference but this one."""
    dropped[coroutine.__qualname__] += 1


def hooked(function):
    """Runs FUNCTION with the runtime's hook replaced: what it warns of must be what was dropped."""
    before, said = dropped.copy(), warned.copy()
    warnings._warn_unawaited_coroutine = lambda coroutine: warned.update([coroutine.__qualname__])
    try:
        function()
    finally:
        warnings._warn_unawaited_coroutine = original
    assert dropped - before == warned - said, (function, dropped - before, warned - said)


async def by_del():
    pass


async def in_list():
    pass


async def in_cycle():
    pass


async def in_thread():
    pass


async def as_argument(other=None):
    pass


async def with_filter():
    pass


async def while_raising():
    pass


async def with_origin():
    pass


async def ärger():  # noqa: PLC2401
    pass


async def awaited():
    return 1


async def closed():
    pass


async def thrown():
    pass


async def many():
    pass


class Service:
    async def handle(self):
        pass


def wrapped(function):
    @functools.wraps(function)
    async def inner():  # one code object, as many qualified names as functions
        pass

    return inner


class Cell:
    pass


def plain():
    for _ in range(12):
        drop(by_del())
    several = [in_list() for _ in range(5)]
    for each in several:
        drop(each)
    del each
    several.clear()
    drop(as_argument(as_argument()))
    dropped["as_argument"] += 1  # the inner one
    for _ in range(4):
        drop(Service().handle())
    drop(wrapped(by_del)())
    drop(wrapped(in_list)())
    for _ in range(3):
        drop(ärger())


def in_cycles():
    for _ in range(7):
        cell = Cell()
        cell.itself, cell.coroutine = cell, in_cycle()
        drop(cell.coroutine)
    del cell
    gc.collect()


def in_threads():
    threads = [threading.Thread(target=lambda: drop(in_thread())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def while_exceptions_fly():
    for _ in range(3):
        try:
            local = while_raising()
            drop(local)
            raise ValueError("on purpose")
        except ValueError:
            del local


def with_origins():
    sys.set_coroutine_origin_tracking_depth(3)
    for _ in range(2):
        drop(with_origin())
    sys.set_coroutine_origin_tracking_depth(0)


def not_dropped():
    for _ in range(10):
        coroutine = awaited()
        try:
            coroutine.send(None)
        except StopIteration:
            pass
        closed().close()
        try:
            thrown().throw(ValueError())
        except ValueError:
            pass
    del coroutine


def filtered():
    """The real hook, which a filter silences, or makes an exception that nobody can catch."""
    sys.unraisablehook = lambda unraisable: None
    for action in ("ignore", "error"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            for _ in range(5):
                drop(with_filter())


def hookless():
    """Without the hook the runtime warns by itself."""
    del warnings._warn_unawaited_coroutine
    for _ in range(2):
        drop(with_filter())
    warnings._warn_unawaited_coroutine = original


def in_bulk():
    for _ in range(20000):
        drop(many())


ready()
gc.collect()
for part in (plain, in_cycles, in_threads, while_exceptions_fly, with_origins, not_dropped, in_bulk):
    hooked(part)
filtered()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    hookless()
barrier(ledger.truth(never_awaited=dict(dropped)))
