"""A fork with tasks outstanding: the child inherits them, drops some, makes its own; the parent drops others."""

import asyncio
import gc
import json
import os

from ledger import barrier, ledger, quiet, ready, run

keep = []


async def inherited():
    await asyncio.get_running_loop().create_future()


async def own():
    await asyncio.get_running_loop().create_future()


async def make(function, count):
    keep.extend(ledger.made(asyncio.create_task(function())) for _ in range(count))
    await asyncio.sleep(0)  # started: the loop's queue holds no reference to them any more


def drop(count):
    del keep[:count]
    gc.collect()


def child(report, ended):
    ledger.forked()
    drop(3)
    run(quiet(asyncio.new_event_loop()), make(own, 5))
    gc.collect()
    os.write(report, json.dumps(ledger.truth(inherited=True)).encode() + b"\n")
    os.close(report)
    os.read(ended, 1)  # until the parent is gone
    os._exit(0)


ready()
loop = quiet(asyncio.new_event_loop())
run(loop, make(inherited, 10))
gc.collect()
report_out, report_in = os.pipe()
ended_out, ended_in = os.pipe()
if os.fork() == 0:
    os.close(ended_in)
    child(report_in, ended_out)
os.close(report_in)
os.close(ended_out)
drop(2)
run(loop, make(own, 1))
gc.collect()
with os.fdopen(report_out) as report:
    truth_of_child = json.loads(report.readline())
barrier(ledger.truth(), truth_of_child)
os.close(ended_in)
os.wait()
