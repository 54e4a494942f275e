"""Timers and ready callbacks, by callback: functions, methods, lambdas, partials, of the runtime, cancelled ones."""

import asyncio
import collections
import functools

from census_book import census
from census_stand import in_callback, leave, new_loop

keep = []
LATER = 3600


def tick(*_):
    pass


def tock():
    pass


class Poller:
    def poll(self):
        pass

    @classmethod
    def of_class(cls):
        pass

    @staticmethod
    def of_none():
        pass


class FastPoller(Poller):
    pass


def factory():
    def inner():
        pass

    return inner


async def sleeper():
    await asyncio.sleep(LATER)


def schedule(loop):
    def later(count, callback, *arguments):
        return [loop.call_later(LATER + number, callback, *arguments) for number in range(count)]

    later(50, tick)
    later(3, tick, "with", "arguments")
    later(10, Poller().poll)
    later(2, FastPoller().poll)
    later(2, Poller.of_class)
    later(2, Poller.of_none)
    later(4, lambda: None)
    later(5, functools.partial(tick, 1, 2))
    later(1, functools.partial(functools.partial(Poller().poll)))
    later(6, factory())
    later(2, collections.deque().append, 1)
    keep.extend(loop.call_at(loop.time() + LATER, tock) for _ in range(7))
    for handle in later(9, tick) + later(8, Poller().poll):
        handle.cancel()
        keep.append(handle)
    fired = [loop.call_later(0, tock), loop.call_soon(tock)]  # held, but no longer scheduled
    keep.extend(fired)


async def build(loop):
    schedule(loop)
    keep.extend(asyncio.ensure_future(sleeper()) for _ in range(13))
    await asyncio.sleep(0.02)


loop = new_loop()
loop.run_until_complete(build(loop))
ready = [(tick,)] * 5 + [(tock,)] * 3 + [(Poller().poll,)] * 2 + [(functools.partial(tick, 1),), (lambda: None,)]
in_callback(loop, lambda full: census(), behind=ready)
leave()
