"""Where tasks are suspended, frame by frame, what they wait for, and who waits for them.

Every task exists twice. Of "NAME" the program looks at the frames; of "NAME twin", equal by construction, it does
not before the tool has looked.
"""

import asyncio
import sys

import census_ways as ways
from census_book import await_chain, census, detail
from census_stand import in_select, leave, new_loop

pairs = []  # (task, twin, who awaits it: [how, name of a task or callback])


def start(name, function, *arguments):
    tasks = []
    for suffix in ("", " twin"):
        task = asyncio.ensure_future(function(*arguments))
        task.set_name(name + suffix)
        tasks.append(task)
    pairs.append((*tasks, []))
    return tasks


def awaited(name, how, function):
    """A child for each of the two, and what waits for it in the way HOW: function(child)."""
    children = start("child of " + name, ways.direct)
    for task, suffix in zip(children, ("", " twin")):
        waiter = asyncio.ensure_future(function(task))
        waiter.set_name(name + suffix)
        if not suffix:
            first = waiter
    pairs[-1][2].append({"how": how, "task": name})
    pairs.append((first, waiter, []))


def by_callback():
    for task in start("has a callback", ways.direct):
        task.add_done_callback(ways.on_done)
    pairs[-1][2].append({"how": "callback", "callback": "on_done"})


async def build(loop):
    for name, function, *arguments in ways.WAYS:
        start(name, function, *arguments)
    awaited("task", "task", ways.await_it)
    awaited("gather", "gather", ways.gather_it)
    awaited("shield", "shield", ways.shield_it)
    awaited("wait", "wait", ways.wait_it)
    if sys.version_info >= (3, 11):
        for suffix in ("", " twin"):
            group = ways.Group("child of task-group" + suffix)
            waiter = asyncio.ensure_future(group.run())
            waiter.set_name("task-group" + suffix)
            await group.started
            if not suffix:
                first = (waiter, group.child)
        pairs.append((first[1], group.child, [{"how": "task-group", "task": "task-group"}]))
        pairs.append((first[0], waiter, []))
    by_callback()
    for _ in range(10):
        await asyncio.sleep(0)


def named(waiters, suffix):
    return [dict(each, task=each["task"] + suffix) if "task" in each else each for each in waiters]


def count(full):
    details = []
    for task, twin, waiters in pairs:
        chain = await_chain(task.get_coro())
        assert not full or await_chain(twin.get_coro()) == chain, (task, twin)
        name = task.get_name()
        details.append(detail(task, name=name, await_chain=chain, awaited_by=waiters))
        details.append(detail(twin, name=name + " twin", await_chain=chain, awaited_by=named(waiters, " twin")))
    return census(details)


loop = new_loop()
loop.run_until_complete(build(loop))
in_select(loop, count)
leave()
