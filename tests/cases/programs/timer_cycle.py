"""Caches that refresh themselves for ever: the timer keeps the cache, the cache its timer. Twin: a weak reference."""

import asyncio
import gc
import weakref

from service import FIXED, row, serve


def refresh_if_alive(reference):
    cache = reference()
    if cache is not None:
        cache.schedule()


class Cache:
    interval = 2

    def __init__(self):
        self.rows = [bytes(100) for _ in range(10)]
        self.schedule()

    def schedule(self):
        loop = asyncio.get_running_loop()
        if FIXED:
            self.timer = loop.call_later(self.interval, refresh_if_alive, weakref.ref(self))
        else:
            self.timer = loop.call_later(self.interval, self.refresh)

    def refresh(self):
        self.schedule()


async def request(number):
    Cache()


def truth():
    return row("timer", Cache.refresh, sum(type(each) is Cache for each in gc.get_objects()))


serve(request, truth)
