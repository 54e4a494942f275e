"""Tasks in subinterpreters, each with its own asyncio, beside those of the main one."""

import asyncio
import gc
import json
import os
import sys

from ledger import barrier, ledger, not_applicable, quiet, ready, run

keep = []

CODE = """
import sys
sys.path.insert(0, {path!r})
sys.argv = [{script!r}]
import asyncio, gc, json, os
from ledger import ledger, quiet, run

async def inside_{number}():
    await asyncio.get_running_loop().create_future()

async def passing_{number}():
    await asyncio.sleep(0)

async def work():
    for _ in range(4):
        keep.append(ledger.made(asyncio.create_task(inside_{number}()), line=0))
    for _ in range(20):
        await ledger.made(asyncio.create_task(passing_{number}()), line=0)

keep = [quiet(asyncio.new_event_loop())]
run(keep[0], work())
gc.collect()
os.write({pipe}, (json.dumps(ledger.truth()) + chr(10)).encode())
"""


async def outside():
    await asyncio.get_running_loop().create_future()


async def main():
    keep.extend(ledger.made(asyncio.create_task(outside())) for _ in range(3))
    await asyncio.sleep(0)


def executor():
    """A function that runs code in a new interpreter, or None where there is none that can have asyncio."""
    if sys.version_info >= (3, 14):
        from concurrent import interpreters

        return lambda code: keep.append(interpreters.create()) or keep[-1].exec(code)
    if sys.version_info >= (3, 13):
        import _interpreters

        return lambda code: keep.append(_interpreters.create()) or _interpreters.exec(keep[-1], code)
    if sys.version_info >= (3, 12):
        import _xxsubinterpreters as module

        return lambda code: keep.append(module.create()) or module.run_string(keep[-1], code)
    return None  # to 3.11 _asyncio keeps its state in statics that all interpreters would share


run_in_new = executor()
if run_in_new is None:
    not_applicable("_asyncio has no state per interpreter before 3.12")
ready()
run(quiet(asyncio.new_event_loop()), main())
gc.collect()
out, pipe = os.pipe()
script = os.path.abspath(sys.argv[0])
truth = ledger.truth()
with os.fdopen(out) as reports:
    for number in range(3):
        run_in_new(CODE.format(path=os.path.dirname(script), script=sys.argv[0], number=number, pipe=pipe))
        for name, counts in json.loads(reports.readline())["tasks"].items():
            together = truth["tasks"].setdefault(name, dict.fromkeys(counts, 0))
            for column in counts:
                together[column] += counts[column]
barrier(truth)
os._exit(0)  # interpreters with pending tasks cannot be torn down in order
