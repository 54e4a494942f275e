"""Ways to wait, for census_chains.py: each is a coroutine function that ends in an await that never ends."""

import asyncio
import sys
import types


def future():
    return asyncio.get_running_loop().create_future()


def on_done(task):
    pass


async def direct():
    await future()


async def through():
    await direct()


async def deep():
    await through()


async def recursive(depth):
    if depth:
        await recursive(depth - 1)
    await future()


class Service:
    async def outer(self):
        await self.inner()

    async def inner(self):
        await future()

    async def __aenter__(self):
        await self.inner()

    async def __aexit__(self, *_):
        await self.inner()

    def __await__(self):
        yield from future()


async def slept():
    await asyncio.sleep(3600)


async def rows():
    await future()
    yield 1


async def pages():
    async for row in rows():
        yield row


async def iterates():
    async for _ in rows():
        pass


async def iterates_twice():
    async for _ in pages():
        pass


async def takes_next():
    await rows().__anext__()


async def takes_next_or():
    await anext(rows(), None)


async def comprehends():
    return [row async for row in rows()]


async def guarded():
    try:
        yield 1
    finally:
        await future()


async def closes():
    generator = guarded()
    await generator.__anext__()
    await generator.aclose()


async def throws():
    generator = guarded()
    await generator.__anext__()
    await generator.athrow(ValueError("on purpose"))


async def enters():
    async with Service():
        pass


async def leaves():
    async with Left():
        pass


class Left(Service):
    async def __aenter__(self):
        pass


async def own_awaitable():
    await Service()


async def by_wrapper():
    await Wrapped()


class Wrapped:
    def __await__(self):
        return direct().__await__()


@types.coroutine
def old_style():
    yield from future()


async def by_old_style():
    await old_style()


async def gets():
    await asyncio.Queue().get()


async def waits_for_event():
    await asyncio.Event().wait()


async def waits_in_condition():
    condition = asyncio.Condition()
    async with condition:
        await condition.wait()


async def times_out():
    await asyncio.wait_for(direct(), 3600)


# fmt: off
async def over_lines(argument=None):
    await over_lines_too(
        1,
        [each for each in range(3)],
        lambda: None,
    )


async def over_lines_too(
        first,
        second,
        third):
    return [
        first,
        await
        future(),
    ]
# fmt: on


async def in_handler():
    try:
        raise ValueError("on purpose")
    except ValueError:
        try:
            raise KeyError("on purpose")
        finally:
            await future()


async def in_loop():
    for number in range(5):
        if number == 3:
            await future()
        await asyncio.sleep(0)


async def with_cells():
    shared = 1

    def closure():
        return shared

    await future()
    return closure


def generated():
    """A function whose line and constants need more than a byte: far lines, both ways, and long jumps."""
    lines = ["async def generated():", "    table = []"]
    lines += ["    table.append(%d)" % (1000 + number) for number in range(400)]
    lines += ["    for _ in range(2):", "        if table:"] + [""] * 300 + ["            await future()"]
    lines += ["        table.clear()"] + ["        table.append('%d')" % number for number in range(200)]
    names = {"future": future}
    exec(compile("\n".join(lines), "<generated>", "exec"), names)
    return names["generated"]


async def await_it(task):
    await task


async def gather_it(task):
    await asyncio.gather(task)


async def shield_it(task):
    await asyncio.shield(task)


async def wait_it(task):
    await asyncio.wait({task})


class Group:
    """A TaskGroup (3.11) with one child."""

    def __init__(self, name):
        self.name = name
        self.started = future()

    async def run(self):
        async with asyncio.TaskGroup() as group:
            self.child = group.create_task(direct(), name=self.name)
            self.started.set_result(None)


WAYS = [
    ("direct", direct),
    ("deep", deep),
    ("recursive", recursive, 30),
    ("method", Service().outer),
    ("sleep", slept),
    ("async for", iterates),
    ("async for twice", iterates_twice),
    ("anext", takes_next),
    ("async comprehension", comprehends),
    ("aclose", closes),
    ("athrow", throws),
    ("aenter", enters),
    ("aexit", leaves),
    ("own awaitable", own_awaitable),
    ("coroutine wrapper", by_wrapper),
    ("old style", by_old_style),
    ("queue", gets),
    ("event", waits_for_event),
    ("condition", waits_in_condition),
    ("wait_for", times_out),
    ("over lines", over_lines),
    ("in a handler", in_handler),
    ("in a loop", in_loop),
    ("with cells", with_cells),
    ("generated", generated()),
]
if sys.version_info >= (3, 10):
    WAYS.append(("anext with default", takes_next_or))
