"""Who keeps a task: globals, sets, lists, dicts, deques, attributes, closures, in this module and in another."""

import asyncio
import collections
import sys
import types

from census_book import census, detail
from census_stand import in_select, leave, new_loop

background_tasks = set()
history = []
by_name = {}
recent = collections.deque()
single = None
named = []  # (name, pieces of the text that must name its holder); the tasks are found by name

services = types.ModuleType("services")
sys.modules["services"] = services


class Manager:
    workers = []  # of the class

    def __init__(self):
        self.jobs = []
        self.current = None


class Slotted:
    __slots__ = ("kept",)


manager = Manager()
slotted = Slotted()


async def leaked():
    await asyncio.get_running_loop().create_future()


def start(name, *pieces):
    task = asyncio.ensure_future(leaked())
    task.set_name(name)
    named.append((name, list(pieces)))
    return task


def several(count, name, *pieces):
    return [start("%s %d" % (name, each), *pieces) for each in range(count)]


def keep_in_closure(task):
    def closure():
        return task

    return closure


async def build():
    global single
    background_tasks.update(several(41, "in a set", "set", "background_tasks", "41"))
    history.extend(several(57, "in a list", "list", "history", "57"))
    recent.extend(several(12, "in a deque", "deque", "recent", "12"))
    by_name.update((task.get_name(), task) for task in several(33, "in a dict", "dict", "by_name", "33"))
    single = start("global", "single")
    manager.jobs.extend(several(23, "in an attribute's list", "list", "jobs", "Manager", "23"))
    manager.current = start("attribute", "current", "Manager")
    slotted.kept = start("slot", "kept", "Slotted")
    Manager.workers.extend(several(9, "in a class's list", "list", "workers", "Manager", "9"))
    services.pool = {start("in another module", "pool", "services")}
    services.closure = keep_in_closure(start("closure", "task"))
    await asyncio.sleep(0)


def count(full):
    tasks = {task.get_name(): task for task in asyncio.all_tasks(loop)}
    details = [detail(tasks[name], name=name, holders=[pieces]) for name, pieces in named]
    return census(details)


loop = new_loop()
loop.run_until_complete(build())
in_select(loop, count)
leave()
