"""What the programs of the corpus share: a mild, steady load, and how they speak with the test.

Says {"ready": pid}; at the first "go" the load begins, at the second it ends and the program says what a tool has to
show of it, and how that grew meanwhile; at the third, or at the end of standard input at any time, the program ends.
`PROGRAM fixed` is the corrected twin of a leaking program.
"""

import asyncio
import gc
import json
import os
import sys
import time
import types

FIXED = "fixed" in sys.argv[1:]
COUNT_S = 5  # so often a program counts what it leaks, while it works

at_rest = False  # what works besides the load stops, too
begun = 0.0  # when the load began

# Before 3.10 a lock or an event belongs to the loop that was current when it was made, a global one to this.
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


def say(document):
    print(json.dumps(document), flush=True)


def not_applicable(reason):
    say({"not_applicable": reason})
    sys.exit(0)


def tasks_of(function, done=False):
    """How many tasks of this coroutine function there are."""
    return sum(
        getattr(task.get_coro(), "__qualname__", None) == function.__qualname__ and task.done() == done
        for task in gc.get_objects()
        if asyncio.Task in type(task).__mro__
    )


def row(kind, function, count, *holder):
    """HOLDER: what the line that names who keeps it must contain."""
    code = function.__code__
    return {
        "kind": kind,
        "name": function.__qualname__,
        "file": code.co_filename,
        "line": code.co_firstlineno,
        "count": count,
        "holder": list(holder),
    }


def row_of_type(kind, name, count):
    """Of what has no line of its own: a transport's protocol, a queue."""
    return {"kind": kind, "name": name, "file": None, "line": None, "count": count, "holder": []}


def objects_of(kind):
    """How many instances of this type the collector knows."""
    return sum(type(each) is kind for each in gc.get_objects())


def open_transports(protocol):
    """How many transports are open whose protocol's type is called so: a closed one holds no socket."""
    transports = [each for each in gc.get_objects() if asyncio.BaseTransport in type(each).__mro__]
    return sum(not each.is_closing() and type(each.get_protocol()).__name__ == protocol for each in transports)


def _alive():
    """Of everything of asyncio, how much is left: what has leaked without being suspected."""
    counts = dict.fromkeys(("tasks", "coroutines", "asyncgens", "transports"), 0)
    for each in gc.get_objects():
        kinds = type(each).__mro__
        counts["tasks"] += asyncio.Task in kinds
        counts["coroutines"] += types.CoroutineType in kinds
        counts["asyncgens"] += types.AsyncGeneratorType in kinds
        counts["transports"] += asyncio.BaseTransport in kinds
    return counts


class _Lines:
    def __init__(self, loop):
        self._heard = asyncio.Semaphore(0)
        self.count = 0
        loop.add_reader(0, self._read)

    def _read(self):
        chunk = os.read(0, 4096)
        if not chunk:
            os._exit(0)
        for _ in range(chunk.count(b"\n")):
            self.count += 1
            self._heard.release()

    async def next(self):
        await self._heard.acquire()


def elapsed():
    """Seconds of load."""
    return time.monotonic() - begun


async def _load(operation, truth, rate, lines):
    """RATE operations a second, one after the other; those that are late are made up for. Also counts."""
    global begun
    number, begun, counts = 0, time.monotonic(), []
    while lines.count < 2:
        await operation(number)
        number += 1
        if elapsed() >= COUNT_S * (len(counts) + 1):
            counts.append(truth()["count"])
        await asyncio.sleep(max(0, number / rate - elapsed()))
    return number, counts


async def _serve(operation, truth, rate, start):
    global at_rest
    lines = _Lines(asyncio.get_running_loop())
    if start:
        await start()
    say({"ready": os.getpid(), "python": sys.version.split()[0], "fixed": FIXED})
    await lines.next()
    operations, counts = await _load(operation, truth, rate, lines)
    await lines.next()
    at_rest = True
    await asyncio.sleep(0.5)
    gc.collect()
    say({"pid": os.getpid(), "operations": operations, "row": truth(), "counts": counts, "alive": _alive()})
    await lines.next()


def serve(operation, truth, rate=50, start=None):
    """operation(number): one request. truth(): the row that a tool must show. start(): what has to be there first."""
    loop.set_exception_handler(lambda loop, context: None)
    loop.run_until_complete(_serve(operation, truth, rate, start))
    os._exit(0)  # what has leaked would hold up an orderly end
