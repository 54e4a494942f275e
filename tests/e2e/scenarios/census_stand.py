"""How a census scenario stands still while the tool looks, and makes sure that it did.

Used by the census_*.py scenarios. The truth is counted before and after the look and must be the same.
"""

import asyncio
import functools
import gc
import os
import sys
import traceback
import warnings

import ledger

SOURCE = ledger._source.fileno()


class Listener:
    """The test's lines, heard by a loop that runs."""

    def __init__(self, loop, hear):
        self._loop, self._hear, self._buffer = loop, hear, b""
        loop.add_reader(SOURCE, self._read)

    def _read(self):
        chunk = os.read(SOURCE, 4096)
        if not chunk:
            os._exit(0)  # the test is over
        self._buffer += chunk
        lines, _, self._buffer = self._buffer.rpartition(b"\n")
        for _ in lines.split(b"\n") if lines else ():
            self._hear()

    def close(self):
        self._loop.remove_reader(SOURCE)


def _same(before, after):
    if before != after:
        for name in before:
            if before[name] != after[name]:
                print("%s has changed:\n%r\n%r" % (name, before[name], after[name]), file=sys.stderr, flush=True)
        os._exit(3)


def _loud(function):
    """The loop's exception handler is mute; a wrong count must not be."""

    @functools.wraps(function)
    def guarded():
        try:
            function()
        except Exception:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(4)

    return guarded


def in_callback(loop, count, behind=()):
    """Blocks the loop inside a callback. BEHIND: (callback, *arguments) that are ready meanwhile.

    count(full): the truth; with FULL whatever may be looked at only afterwards is looked at, too.
    """
    outcome = []

    @_loud
    def stand():
        truth = count(False)
        ledger.say(truth)
        ledger.wait_for_go()
        _same(truth, count(True))
        outcome.append(True)
        loop.stop()

    loop.call_soon(stand)
    for callback in behind:
        loop.call_soon(*callback)
    loop.run_forever()
    assert outcome


def in_select(loop, count):
    """The loop waits for input, as a service does at night."""
    truth = []

    @_loud
    def look():
        if loop._ready:  # whatever is under way has to end first
            loop.call_soon(look)
            return
        truth.append(count(False))
        ledger.say(truth[0])

    @_loud
    def told():
        _same(truth[0], count(True))
        loop.stop()

    listener = Listener(loop, told)
    loop.call_soon(look)
    loop.run_forever()
    listener.close()


def outside(loop, count):
    """No loop runs: run_until_complete() has returned."""
    truth = count(False)
    ledger.say(truth)
    ledger.wait_for_go()
    _same(truth, count(True))


def leave():
    """The program's end, without asyncio's complaints about what was left lying on purpose."""
    sys.stderr.flush()
    os._exit(0)


async def _nothing():
    await asyncio.sleep(0)


async def _rows():
    yield 1
    yield 2


def litter(loop, count=500):
    """Dead objects of every kind: their memory still looks like them."""

    async def make():
        for number in range(count):
            tasks = [asyncio.ensure_future(_nothing()) for _ in range(3)]
            tasks[0].cancel()
            loop.call_later(1e-9, _rows)
            loop.call_later(3600, _rows).cancel()
            async for _ in _rows():
                break
            _nothing().close()
            asyncio.Queue().put_nowait(number)
            await asyncio.wait(tasks)

    loop.run_until_complete(make())
    loop.run_until_complete(asyncio.sleep(0.01))
    gc.collect()


def new_loop():
    warnings.simplefilter("ignore")  # coroutines that are never awaited
    loop = ledger.quiet(asyncio.new_event_loop())
    asyncio.set_event_loop(loop)
    litter(loop)
    ledger.ready()
    return loop
