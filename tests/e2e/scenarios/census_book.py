"""What a program says of itself, by its own means: the sections of `inspect`, counted with the collector's lists.

Used by the census_*.py scenarios. Nothing here makes a frame object or formats a task's name unless FULL is asked
for: from 3.11 on that would bring objects into another form than the tool meets in a program nobody looks into.
"""

import asyncio
import gc
import inspect
import os
import sys
import types

ASYNC_STEPS = ("async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper")
SYNCS = (asyncio.Lock, asyncio.Event, asyncio.Condition, asyncio.Semaphore)
FRAMES_ARE_LAZY = sys.version_info >= (3, 11)

# Coroutines closed before they began: 3.12 and 3.13 leave them everything they had (Objects/genobject.c gen_close).
closed_unstarted = []


def type_name(thing):
    kind = type(thing)
    return kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)


def address(thing):
    return hex(id(thing))


def place(code):
    return {"file": code.co_filename, "line": code.co_firstlineno}


def everything(kind):
    """Objects of a class and its subclasses, by type: a proxy may lie about __class__."""
    return [thing for thing in gc.get_objects() if kind in type(thing).__mro__]


def state(task):
    if not task.done():
        return "pending"
    if task.cancelled():
        return "cancelled"
    return "failed" if task.exception() else "finished"


def cancel_requested(task):
    """To 3.10 nothing is kept of a request that was delivered."""
    if task.done():
        return False
    return bool(task._must_cancel or (hasattr(task, "cancelling") and task.cancelling()))


def task_rows():
    """One row a coroutine function: how many tasks, in which state."""
    rows = {}
    for task in everything(asyncio.Task):
        coroutine = task.get_coro()
        row = rows.setdefault(
            coroutine.__qualname__,
            dict(
                {"coroutine": coroutine.__qualname__, "outstanding": 0, "cancel_requested": 0},
                **dict.fromkeys(("pending", "finished", "failed", "cancelled"), 0),
                **place(coroutine.cr_code),
            ),
        )
        row["outstanding"] += 1
        row[state(task)] += 1
        row["cancel_requested"] += cancel_requested(task)
    return sorted(rows.values(), key=lambda row: row["coroutine"])


def is_alive(generator, code):
    """It has a frame: created, suspended or running. A frame refers to its function, a cleared one no more."""
    if not FRAMES_ARE_LAZY:
        return getattr(generator, "cr_frame" if code == "cr_code" else "ag_frame") is not None
    if any(each is generator for each in closed_unstarted):
        return False
    its_code = getattr(generator, code)
    return any(
        isinstance(each, types.FunctionType) and each.__code__ is its_code for each in gc.get_referents(generator)
    )


def is_unstarted(coroutine):
    if not FRAMES_ARE_LAZY:
        return inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
    return is_alive(coroutine, "cr_code") and not (coroutine.cr_suspended or coroutine.cr_running)


def grouped(things, row_of, *columns):
    """Rows of equal text as one with a count; COLUMNS are summed."""
    rows = {}
    for thing in things:
        row = row_of(thing)
        key = tuple(value for name, value in row.items() if name not in columns)
        known = rows.setdefault(key, dict(row, count=0, **dict.fromkeys(columns, 0)))
        known["count"] += 1
        for column in columns:
            known[column] += row[column]
    return [rows[key] for key in sorted(rows, key=repr)]


def coroutine_rows():
    of_tasks = {id(task.get_coro()) for task in everything(asyncio.Task)}
    found = [each for each in everything(types.CoroutineType) if id(each) not in of_tasks and is_unstarted(each)]
    return grouped(found, lambda each: dict({"coroutine": each.__qualname__}, **place(each.cr_code)))


def asyncgen_rows(loops):
    """Started, not finished: the loop's hook for a first iteration has seen it, and its frame is still there."""
    started = {id(each) for loop in loops for each in loop._asyncgens}
    found = [each for each in everything(types.AsyncGeneratorType) if id(each) in started and is_alive(each, "ag_code")]
    return grouped(found, lambda each: dict({"coroutine": each.__qualname__}, **place(each.ag_code)))


def callback_row(callback):
    """The function behind partials and bound methods; a task's step is nobody's function: None."""
    while not isinstance(callback, (types.FunctionType, types.BuiltinFunctionType)):
        if hasattr(callback, "func"):
            callback = callback.func
        elif isinstance(callback, types.MethodType):
            callback = callback.__func__
        else:
            return {"callback": None, "file": None, "line": None}
    if isinstance(callback, types.BuiltinFunctionType):
        if callback.__name__ == "task_wakeup":
            return {"callback": None, "file": None, "line": None}
        return {"callback": callback.__qualname__, "file": None, "line": None}
    return dict({"callback": callback.__qualname__}, **place(callback.__code__))


def timers(loops):
    found = [each for each in everything(asyncio.TimerHandle) if each._scheduled]
    assert sorted(map(id, found)) == sorted(id(each) for loop in loops for each in loop._scheduled)
    return found


def timer_rows(loops):
    return grouped([each for each in timers(loops) if not each._cancelled], lambda each: callback_row(each._callback))


def ready_rows(loops):
    handles = [each for loop in loops for each in loop._ready if not each._cancelled]
    return grouped(handles, lambda each: {"callback": callback_row(each._callback)["callback"]})


def peer(transport):
    """As a person writes it; None: there is none; "*": whatever the tool finds."""
    if isinstance(transport, asyncio.SubprocessTransport):
        return "*"
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        return ("[%s]:%d" if ":" in name[0] else "%s:%d") % name[:2]
    return name or None


def transport_rows():
    def row(transport):
        writes = hasattr(transport, "get_write_buffer_size")
        return {
            "type": type_name(transport),
            "protocol": type_name(transport.get_protocol()),
            "peer": peer(transport),
            "write_buffer_bytes": transport.get_write_buffer_size() if writes else 0,
        }

    return grouped(everything(asyncio.BaseTransport), row, "write_buffer_bytes")


def queue_rows():
    rows = [
        {
            "type": type_name(queue),
            "length": queue.qsize(),
            "maxsize": queue.maxsize,
            "getters": len(queue._getters),
            "putters": len(queue._putters),
        }
        for queue in everything(asyncio.Queue)
    ]
    return sorted(rows, key=repr)


def wait_rows():
    counts = {}
    for kind in SYNCS:
        for thing in everything(kind):
            counts[type_name(thing)] = counts.get(type_name(thing), 0) + len(thing._waiters or ())
    return [{"type": name, "waiters": count} for name, count in sorted(counts.items()) if count]


def loop_row(loop):
    executor = loop._default_executor
    return {
        "running": loop.is_running(),
        "ready": len(loop._ready),
        "timers": sum(not each._cancelled for each in loop._scheduled),
        "timers_cancelled": sum(each._cancelled for each in loop._scheduled),
        "transports": len(loop._transports),
        "asyncgens": len(loop._asyncgens),
        "executor_queue": executor._work_queue.qsize() if executor else None,
    }


def census(named=()):
    """All of it. NAMED: the details of some tasks, as detail() makes them."""
    gc.collect()
    loops = [each for each in everything(asyncio.AbstractEventLoop) if not each.is_closed()]
    return {
        "pid": os.getpid(),
        "file": sys.argv[0],
        "python": sys.version_info[:2],
        "tasks": task_rows(),
        "named": list(named),
        "coroutines": coroutine_rows(),
        "asyncgens": asyncgen_rows(loops),
        "timers": timer_rows(loops),
        "timers_cancelled": sum(each._cancelled for each in timers(loops)),
        "ready": ready_rows(loops),
        "transports": transport_rows(),
        "queues": queue_rows(),
        "waits": wait_rows(),
        "loops": sorted((loop_row(each) for each in loops), key=repr),
    }


def delegate(awaitable):
    """The generator behind the object that is awaited; None: it is a future's, or at the end."""
    if type(awaitable).__name__ not in ASYNC_STEPS:
        return awaitable if isinstance(awaitable, (types.CoroutineType, types.GeneratorType)) else None
    for behind in gc.get_referents(awaitable):
        if isinstance(behind, (types.CoroutineType, types.AsyncGeneratorType)):
            return behind
        if type(behind).__name__ in ASYNC_STEPS:
            return delegate(behind)
    return None


def await_frames(coroutine):
    """(qualified name, frame), outermost first. Makes frame objects."""
    while coroutine is not None:
        prefix, awaited = {
            types.CoroutineType: ("cr", "cr_await"),
            types.GeneratorType: ("gi", "gi_yieldfrom"),
            types.AsyncGeneratorType: ("ag", "ag_await"),
        }[type(coroutine)]
        yield coroutine.__qualname__, getattr(coroutine, prefix + "_frame")
        coroutine = delegate(getattr(coroutine, awaited))


def await_chain(coroutine):
    """Innermost first."""
    frames = [
        {"function": name, "file": frame.f_code.co_filename, "line": frame.f_lineno}
        for name, frame in await_frames(coroutine)
    ]
    return frames[::-1]


def detail(task, **more):
    """What is to be found of one task. Its name and its frames are looked at only by those who pass them."""
    waiter = task._fut_waiter
    found = {
        "address": address(task),
        "state": state(task),
        "cancel_requested": cancel_requested(task),
        "coroutine": task.get_coro().__qualname__,
        "waiting_for": {"type": type_name(waiter), "address": address(waiter)} if waiter is not None else None,
    }
    return dict(found, **place(task.get_coro().cr_code), **more)
