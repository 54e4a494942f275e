"""Tasks under uvloop, whose create_task is not Python."""

import asyncio
import gc

from ledger import barrier, ledger, not_applicable, quiet, ready, run

try:
    import uvloop
except ImportError:
    not_applicable("no uvloop for this interpreter")

keep = []


async def passing():
    await asyncio.sleep(0)


async def leaks():
    await asyncio.sleep(3600)


async def main():
    loop = asyncio.get_running_loop()
    for _ in range(100):
        await ledger.made(loop.create_task(passing()))
    keep.extend(ledger.made(asyncio.create_task(leaks())) for _ in range(6))
    await asyncio.gather(*[passing() for _ in range(10)])
    ledger.note("passing", 10)


ready()
run(quiet(uvloop.new_event_loop()), main())
gc.collect()
barrier(ledger.truth())
