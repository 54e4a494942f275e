"""Deep size by the program's own walk: sys.getsizeof summed, each object once. Used by census_locals.py.

The walk is the one of tests/unit/census/deep_size_test.cpp: items, keys and values, attributes, what a memoryview
shows; other types written in C count by themselves.
"""

import asyncio
import collections
import gc
import sys
import types

# What a local refers to, but does not own.
NOT_OWNED = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.FrameType,
    types.CoroutineType,
    asyncio.Future,
    asyncio.AbstractEventLoop,
    bool,
    type(None),
)
SEQUENCES = (list, tuple, set, frozenset, collections.deque)


def is_the_interpreters(thing):
    """There is one of it for everybody."""
    if type(thing) is int:
        return -5 <= thing <= 256
    if type(thing) is str:
        return len(thing) <= 1 and thing < "\u0100"
    return type(thing) in (bytes, tuple) and len(thing) <= (type(thing) is bytes)


def is_counted(thing):
    return not isinstance(thing, NOT_OWNED) and not is_the_interpreters(thing)


def parts(thing):
    """What THING refers to, and bytes of it that are no object of their own."""
    if isinstance(thing, dict):
        return [*thing.keys(), *thing.values()], 0
    if isinstance(thing, SEQUENCES):
        return list(thing), 0
    if isinstance(thing, memoryview):
        return [thing.obj], 0
    if type(thing).__module__ != "__main__":
        return [], 0
    # An instance. From 3.11 on vars() would make a dict of its values: the collector knows them, or the dict.
    values = gc.get_referents(thing)
    if type(thing).__dictoffset__ and any(type(each) is dict for each in values):
        own = vars(thing)
        if any(each is own for each in values):
            others = [each for each in values if each is not own]
            return others + list(own.values()), sys.getsizeof(own)  # its keys are the class's
    return values, 0


def deep_size(*things):
    """Of all of THINGS together."""
    seen, bytes_, todo = set(), 0, list(things)
    while todo:
        thing = todo.pop()
        if id(thing) in seen or not is_counted(thing):
            continue
        seen.add(id(thing))
        behind, more = parts(thing)
        bytes_ += sys.getsizeof(thing) + more
        todo.extend(behind)
    return bytes_


def description(frame, name, thing):
    try:
        length = len(thing)
    except TypeError:
        length = None
    kind = type(thing)
    module = "" if kind.__module__ == "builtins" else kind.__module__ + "."
    return {
        "frame": frame,
        "name": name,
        "type": module + kind.__qualname__,
        "length": length,
        "bytes": deep_size(thing),
    }
