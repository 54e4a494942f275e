"""What tasks hold: locals of every type in every frame, with type, length and deep size.

The values are made twice by the same function: one is measured and thrown away, the other one held.
"""

import array
import asyncio
import collections
import sys

from census_book import await_frames, census, detail
from census_size import deep_size, description
from census_stand import in_select, leave, new_loop

KILO = b"x" * 1000
SECRET = "correct horse battery staple"
expected = {}  # name of a task -> (task, locals, held bytes)


class Session:
    """With a dict; from 3.11 on with values in line until somebody asks for the dict."""

    def __init__(self, number):
        self.number = number
        self.payload = bytearray(9000 + number)
        self.headers = {"key %d" % each: "value %d" % (each + number) for each in range(20)}


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, number):
        self.left = bytes(2000 + number)
        self.right = [number + each / 3 for each in range(50)]


class SlottedMore(Slotted):
    __slots__ = ("more",)

    def __init__(self, number):
        super().__init__(number)
        self.more = "m" * (1500 + number)


class Node:
    def __init__(self):
        self.children, self.parent, self.weight = [], None, bytes(500)

    def add(self, node):
        node.parent = self
        self.children.append(node)
        return node


def tree(depth):
    """Cycles, and deeper than a naive recursion goes."""
    root = node = Node()
    for _ in range(depth):
        node.add(Node())
        node = node.add(Node())
    return root


def with_its_dict():
    session = Session(5)
    assert vars(session)
    return session


def chained(depth):
    chain = None
    for number in range(depth):
        chain = (chain, 1000.0 + number)
    return chain


VALUES = {
    "list of bytes": lambda: [bytes(100 + each) for each in range(500)],
    "list with room": lambda: [0.5 + each for each in range(1000)][:],
    "dict of str": lambda: {"key %05d" % each: "value %05d" % each for each in range(1000)},
    "dict of int": lambda: {1000 + each: 100000 + each for each in range(700)},
    "dict after deletions": lambda: {each: None for each in range(1000, 3000) if each % 3},
    "set": lambda: {"member %d" % each for each in range(600)},
    "frozenset": lambda: frozenset(1000.5 + each for each in range(600)),
    "tuple": lambda: tuple(str(1000 + each) for each in range(400)),
    "str": lambda: "a" * 50_000,
    "str of two bytes": lambda: "я" * 30_000,
    "str of four bytes": lambda: "\N{SNAKE}" * 20_000,
    "bytes": lambda: bytes(60_000),
    "bytearray": lambda: bytearray(70_000),
    "memoryview": lambda: memoryview(bytearray(80_000)),
    "array": lambda: array.array("d", range(9000)),
    "deque": lambda: collections.deque((bytes(50 + each % 7) for each in range(900)), maxlen=800),
    "big int": lambda: 1 << 300_000,
    "instance": lambda: Session(1),
    "instance with its dict": with_its_dict,
    "instances": lambda: [Session(each) for each in range(30)],
    "slots": lambda: [SlottedMore(each) for each in range(40)],
    "tree": lambda: tree(400),
    "tuples in tuples": lambda: chained(3000),
    "counter": lambda: collections.Counter("word %d" % (each % 300) for each in range(900)),
    "default dict": lambda: collections.defaultdict(list, {each: [each] * 50 for each in range(1000, 1100)}),
    "shared members": lambda: [KILO * 20] * 1000,
    "nested": lambda: {"rows": [{"id": 1000 + each, "tags": ("t%d" % each, "u%d" % each)} for each in range(200)]},
}


async def holds(value):
    await asyncio.get_running_loop().create_future()
    return value


async def outer(make):
    in_outer = make("outer")
    await inner(make, small=7)
    return in_outer


async def inner(make, small):
    in_inner = [make("inner")]
    await asyncio.get_running_loop().create_future()
    return in_inner, small


async def rows(page):
    await asyncio.get_running_loop().create_future()
    yield page


def a_page():
    return [bytes(700) for _ in range(60)]


async def reads():
    generator = rows(a_page())
    if sys.version_info >= (3, 10):
        await anext(generator, None)  # noqa: F821
    await generator.__anext__()


def layered(frame):
    return [frame + " %d" % each for each in range({"outer": 1000, "inner": 400}[frame])]


async def many(secret):
    first, second = bytes(40_000), [bytes(300) for _ in range(100)]
    unbound = None
    del unbound

    def closure():
        return in_cell

    in_cell = {"cell": bytes(20_000)}
    await asyncio.get_running_loop().create_future()
    return first, second, closure, secret


def start(name, coroutine, locals_, held):
    task = asyncio.ensure_future(coroutine)
    task.set_name(name)
    expected[name] = (task, locals_, held)


async def build():
    for make in VALUES.values():  # the room a class keeps for attributes shrinks with its first instances (3.11)
        make()
    for name, make in VALUES.items():
        measured = make()
        start(name, holds(make()), [description("holds", "value", measured)], deep_size(measured))
    in_outer, in_inner = layered("outer"), [layered("inner")]
    start(
        "two frames",
        outer(layered),
        [
            description("outer", "in_outer", in_outer),
            description("inner", "in_inner", in_inner),
            description("inner", "small", 7),
        ],
        deep_size(in_outer, in_inner),
    )
    page = a_page()
    start("async generator", reads(), [description("rows", "page", page)], deep_size(page))
    first, second, in_cell = bytes(40_000), [bytes(300) for _ in range(100)], {"cell": bytes(20_000)}
    start(
        "many locals",
        many(SECRET),
        [
            description("many", "first", first),
            description("many", "second", second),
            description("many", "in_cell", in_cell),
            description("many", "secret", SECRET),
        ],
        deep_size(first, second, in_cell, SECRET),
    )
    del measured
    await asyncio.sleep(0)


def check(task, locals_):
    """What is held is as big as what was measured."""
    frames = {name: frame.f_locals for name, frame in await_frames(task.get_coro())}
    for each in locals_:
        found = description(each["frame"], each["name"], frames[each["frame"]][each["name"]])
        assert found == each, (task.get_name(), found, each)


def count(full):
    for task, locals_, _ in expected.values() if full else ():
        check(task, locals_)
    details = [
        detail(task, name=name, locals=locals_, held_bytes=held) for name, (task, locals_, held) in expected.items()
    ]
    return census(details)


loop = new_loop()
loop.run_until_complete(build())
in_select(loop, count)
leave()
