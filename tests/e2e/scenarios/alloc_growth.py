"""Two workers that take in the same 2 kB values: one keeps them in a local dictionary, one does not.

    alloc_growth.py RATE    values a second, each worker. Says how many there are when it begins, and
                            whenever the test sends a line.
"""

import asyncio
import inspect
import os
import sys

import ledger
from census_stand import Listener
from ledger import quiet, ready

TICK_S = 0.02
VALUE = 2000
state = {"kept": 0, "kept_bytes": 0, "passed": 0}


async def paced(rate):
    """How many values are due, again and again."""
    loop = asyncio.get_running_loop()
    begun, done = loop.time(), 0
    while True:
        await asyncio.sleep(TICK_S)
        due = int((loop.time() - begun) * rate) - done
        done += due
        yield due


async def keeps(rate):
    values = {}
    async for due in paced(rate):
        for _ in range(due):
            values[len(values)] = bytes(VALUE)
        size = sys.getsizeof(values[0]) if values else 0
        state.update(kept=len(values), kept_bytes=len(values) * size, own_bytes=sys.getsizeof(values))


async def passes_on(rate):
    async for due in paced(rate):
        for _ in range(due):
            value = bytes(VALUE)
            state["passed"] += 1
            del value


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if text in line)


def answer():
    ledger.say(dict(state, pid=os.getpid(), line=line_of(keeps, "bytes(VALUE)")))


async def main(rate):
    await asyncio.gather(keeps(rate), passes_on(rate))


loop = quiet(asyncio.new_event_loop())
line_of(keeps, "bytes(VALUE)")  # reads this file once
ready()
Listener(loop, answer)
answer()
loop.run_until_complete(main(int(sys.argv[1])))
