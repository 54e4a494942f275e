# What the fields of ObjectLayout must say, told by the interpreter itself: run by object_layout_live_test.cpp.
#
# A fact is {path, value}: begin at an address, add what a field's offset or a number says, '*' reads the pointer there;
# what stands at the end, SIZE bytes of it under MASK, is VALUE (a number, the name of a generator state, or another
# path). 'here' at the end: the address itself. NEEDS / UNLESS: a flag of the row. A path over a field that this line
# has not is no fact.
import asyncio, collections, functools, gc, json, os, struct, sys, types, weakref
import queue as queue_module

facts = []


def fact(path, value, size=8, mask=(1 << 64) - 1, needs='', unless=''):
    facts.append(dict(path=path, value=value, size=size, mask=mask, needs=needs, unless=unless))


class Plain:
    def __init__(self):
        self.alpha = ['alpha']
        self.beta = ['beta']

    async def serve(self):
        pass


class Slots:
    __slots__ = ('slot_a', 'slot_b')


class Token:
    pass


def heads_types_and_instances():
    plain, other, thing = Plain(), Plain(), ['counted']
    holders = [thing] * 7
    reference = weakref.ref(plain)
    fact([id(thing), 'refcount'], len(holders), size=4)
    fact([id(thing), 'gc_bits'], 1, size=1, mask=1)
    for kind in (Plain, tuple, asyncio.Task):
        fact([id(kind), 'type_basicsize'], kind.__basicsize__)
        fact([id(kind), 'type_itemsize'], kind.__itemsize__)
        fact([id(kind), 'type_flags'], kind.__flags__)
        fact([id(kind), 'type_base'], id(kind.__base__))
        fact([id(kind), 'type_dictoffset'], kind.__dictoffset__ & (1 << 64) - 1)
    fact([id(Plain), 'type_dict'], id(gc.get_referents(Plain.__dict__)[0]))
    fact([id(Plain), 'type_qualname'], id(Plain.__qualname__))
    fact([id(Plain), 'type_cached_keys', '*', 'entries'], id('alpha'), needs='obj_gen_state')
    fact([id(Plain), 'type_cached_keys', '*', 'entries', 8], id('alpha'), unless='obj_gen_state')
    fact([id(plain), 'instance_values', '*', 'values_first', 8], id(plain.beta), needs='obj_values_pointer')
    fact([id(plain), 'instance_values', '*', 1, 'values_first', 8], id(plain.beta), needs='obj_values_tagged')
    fact([id(plain), Plain.__basicsize__, 'values_first', 8], id(plain.beta), needs='obj_values_inline')
    fact([id(plain), 'instance_dict'], 0, needs='obj_values_inline')
    dictionary = other.__dict__
    fact([id(other), 'instance_dict'], id(dictionary), unless='obj_dict_by_offset')
    fact([id(other), Plain.__dictoffset__], id(dictionary), needs='obj_dict_by_offset')
    fact([id(dictionary), 'dict_values', '*', 'values_first', 8], id(other.beta), unless='obj_dict_by_offset')
    fact([id(dictionary), 'dict_values', '*', 8], id(other.beta), needs='obj_dict_by_offset')
    return holders, plain, other, reference


def containers():
    items, mapping = [Token(), Token(), Token()], {'one': Token(), 'two': Token(), 'three': Token()}
    items.append(items[0])
    few, many = {1, 2, 3}, set(range(1000))
    short, long = collections.deque(items[:3]), collections.deque(items[:2] * 50)
    fact([id(items), 'list_items', '*', 16], id(items[2]))
    fact([id(items), 'list_allocated'], (items.__sizeof__() - list.__basicsize__) // 8)
    fact([id(mapping), 'dict_used'], 3)
    fact([id(mapping), 'dict_values'], 0)
    fact([id(mapping), 'dict_keys', '*', 'keys_size'], 8)
    fact([id(mapping), 'dict_keys', '*', 'keys_log2_size'], 3, size=1)
    fact([id(mapping), 'dict_keys', '*', 'entries', 16 + 8], id(mapping['two']), needs='obj_gen_state')
    fact([id(mapping), 'dict_keys', '*', 'entries', 24 + 16], id(mapping['two']), unless='obj_gen_state')
    fact([id(few), 'set_used'], 3)
    fact([id(few), 'set_mask'], 7)
    fact([id(few), 'set_table', '*', 16 * 2], id(2))
    fact([id(few), 'set_small_table', 16 * 3], id(3))
    fact([id(many), 'set_used'], 1000)
    fact([id(many), 'set_table', '*', 16 * 200], id(200))
    short.append(items)
    short.pop()  # so that its count of changes is not its right index
    # Modules/_collectionsmodule.c: blocks of 64; one that is made from items begins at 1
    fact([id(short), 'deque_left_index'], 1)
    fact([id(short), 'deque_left', '*', 8 + 8 * 1], id(items[0]))
    fact([id(short), 'deque_right', '*', 8 + 8 * 3], id(items[2]))
    fact([id(long), 'deque_left', '*', 8 + 8 * 64], [id(long), 'deque_right'])
    return items, mapping, few, many, short, long


def values():
    array, number, big, real = bytearray(b'..wanted'), 12345, -(2 ** 70) - 7, 2.5
    del array[:2]
    view = memoryview(array)
    # 3.15: __alloc__() has the bytes object behind it in it
    behind = bytes.__basicsize__ if sys.version_info >= (3, 15) else 0
    fact([id(array), 'bytearray_alloc'], array.__alloc__() - behind)
    fact([id(array), 'bytearray_start', '*'], int.from_bytes(b'wanted', 'little'), mask=(1 << 48) - 1)
    fact([id(number), 'long_tag'], 1 << 3, needs='obj_long_tagged')
    fact([id(number), 'long_tag'], 1, unless='obj_long_tagged')
    fact([id(number), 'long_digits'], number, size=4)
    fact([id(big), 'long_tag'], 3 << 3 | 2, needs='obj_long_tagged')
    fact([id(big), 'long_tag'], (1 << 64) - 3, unless='obj_long_tagged')
    fact([id(big), 'long_digits'], 7, size=4)
    fact([id(real), 'float_value'], struct.unpack('<Q', struct.pack('<d', real))[0])
    fact([id(view), 'memoryview_base'], id(array))
    fact([id(view), 'memoryview_shape', '*'], len(array))
    return array, number, big, real, view


def queues():
    items, queue = [Token() for _ in range(40)], queue_module.SimpleQueue()
    for item in items:
        queue.put(item)
    for _ in range(3):
        queue.get()
    fact([id(queue), 'simple_queue_list', '*', 'list_items', '*', 8 * 3], id(items[3]))
    fact([id(queue), 'simple_queue_taken'], 3)
    fact([id(queue), 'simple_queue_count'], 37)
    return items, queue


def callables():
    captured, items = Token(), []

    def function():
        return captured

    method, builtin, partial = Plain().__init__, items.append, functools.partial(function, captured)
    module = types.ModuleType('demo_module')
    cell = function.__closure__[0]
    fact([id(cell), 'cell_value'], id(captured))
    fact([id(function), 'function_code'], id(function.__code__))
    fact([id(function), 'function_qualname'], id(function.__qualname__))
    fact([id(function), 'function_closure'], id(function.__closure__))
    fact([id(function), 'function_globals'], id(function.__globals__))
    fact([id(function), 'function_module'], id(function.__module__))
    fact([id(method), 'method_function'], id(method.__func__))
    fact([id(method), 'method_self'], id(method.__self__))
    fact([id(builtin), 'builtin_self'], id(items))
    fact([id(builtin), 'builtin_def', '*', '*'], int.from_bytes(b'append\0', 'little'), mask=(1 << 56) - 1)
    fact([id(partial), 'partial_function'], id(function))
    fact([id(partial), 'partial_args'], id(partial.args))
    fact([id(module), 'module_name'], id(module.__name__))
    member = Slots.slot_b
    fact([id(member), 'member_def', '*', '*'], int.from_bytes(b'slot_b\0', 'little'), mask=(1 << 56) - 1)
    fact([id(member), 'member_def', '*', 8], 16, size=4)  # T_OBJECT_EX
    fact([id(member), 'member_def', '*', 16], Slots.__basicsize__ - 8)
    return function, method, builtin, partial, module, cell, captured


def state(generator, name):
    fact([id(generator), 'gen_state'], name, size=1)


def frame_fact(generator, frame, path, value, **more):
    """A path that begins at the frame, wherever this line keeps it."""
    fact([id(generator), 'gen_frame', *path], value, needs='obj_frame_embedded', **more)
    if frame is not None:
        fact([id(frame), *path], value, unless='obj_frame_embedded', **more)


def code_facts(code):
    fact([id(code), 'code_stacksize'], code.co_stacksize, size=4)
    fact([id(code), 'code_names'], id(code.co_names))
    fact([id(code), 'code_consts'], id(code.co_consts))
    names = list(code.co_varnames) + [name for name in code.co_cellvars if name not in code.co_varnames]
    names += code.co_freevars
    fact([id(code), 'code_nlocalsplus'], len(names), size=4)
    for i, name in enumerate(names):
        fact([id(code), 'code_localsplusnames', '*', 'tuple_items', 8 * i], id(name))
    fact([id(code), 'code_varnames'], id(code.co_varnames), unless='obj_no_varnames')
    fact([id(code), 'code_cellvars'], id(code.co_cellvars), unless='obj_no_varnames')
    fact([id(code), 'code_freevars'], id(code.co_freevars), unless='obj_no_varnames')


async def waits(future, marker, kept=None):
    local = marker

    def reads():
        return kept, local, future

    return await future


async def twice():
    yield 1
    yield 2


async def nothing():
    pass


def handles(error):
    try:
        raise error
    except ValueError:
        yield


def generator_facts(main):
    created, fresh, finished = Plain().serve(), twice(), nothing()
    half, closed = twice(), twice()
    for coroutine in (finished, half.asend(None), closed.asend(None), closed.aclose()):
        try:
            coroutine.send(None)
        except StopIteration:
            pass
    sending, throwing, wrapper = half.asend(None), half.athrow(ValueError), created.__await__()
    state(created, 'created')
    state(fresh, 'created')
    state(half, 'suspended')
    state(finished, 'cleared')
    state(main, 'executing')
    fact([id(main), 'gen_running'], 1, size=1)
    fact([id(half), 'gen_running'], 0, size=1)
    fact([id(created), 'gen_frame'], id(created.cr_frame), unless='obj_frame_embedded')
    for generator, frame, name in ((created, created.cr_frame, 'created'), (half, half.ag_frame, 'suspended'),
                                   (main, main.cr_frame, 'executing')):
        fact([id(frame), 'frame_state'], name, size=1)
    error = ValueError()
    handling = handles(error)
    next(handling)
    fact([id(handling), 'gen_exception'], id(error))
    fact([id(sending), 'asend_generator'], id(half))
    fact([id(throwing), 'athrow_generator'], id(half))
    fact([id(wrapper), 'coroutine_wrapper_coroutine'], id(created))
    return created, fresh, finished, half, closed, sending, throwing, wrapper, handling


def suspended_facts(coroutine, future, marker):
    code, frame = coroutine.cr_code, coroutine.cr_frame
    code_facts(code)
    state(coroutine, 'delegating')
    fact([id(frame), 'frame_state'], 'suspended', size=1)
    index = code.co_varnames.index('marker')
    frame_fact(coroutine, frame, ['frame_locals', 8 * index, 'untagged'], id(marker))
    frame_fact(coroutine, frame, ['frame_code', 'untagged'], id(code))
    if frame is not None:
        fact([id(frame), 'frame_value_stack'], [id(frame), 'frame_locals', 8 * len(
            code.co_varnames + code.co_cellvars + code.co_freevars), 'here'])
    frame_fact(coroutine, frame, ['awaited', 'future_iter_future'], id(future))


def future_facts(loop):
    waiting, done, failed, cancelled = (loop.create_future() for _ in range(4))
    callbacks = [lambda _: None for _ in range(3)]
    for callback in callbacks:
        waiting.add_done_callback(callback)
    result, error = Token(), ValueError()
    done.set_result(result)
    failed.set_exception(error)
    cancelled.cancel()
    fact([id(waiting), 'future_loop'], id(loop))
    fact([id(waiting), 'future_callback0'], id(callbacks[0]))
    fact([id(waiting), 'future_callbacks', '*', 'list_items', '*', 8, '*', 'tuple_items'], id(callbacks[2]))
    fact([id(done), 'future_result'], id(result))
    fact([id(failed), 'future_exception'], id(failed.exception()))
    for future, number in ((waiting, 0), (cancelled, 1), (done, 2), (failed, 2)):
        fact([id(future), 'future_state'], number, size=4)
    fact([id(asyncio.Future), 'type_basicsize'], ['future_basicsize', 'here'])
    fact([id(asyncio.Task), 'type_basicsize'], ['task_basicsize', 'here'])
    return waiting, done, failed, cancelled, callbacks


async def task_facts(loop):
    future, marker, name = loop.create_future(), Token(), 'reader ' + str(len(facts))
    coroutine = waits(future, marker)
    task = loop.create_task(coroutine, name=name)
    stubborn = loop.create_task(waits(loop.create_future(), marker))
    watcher = loop.create_task(waits(task, marker))
    done = loop.create_task(nothing())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    late = loop.create_task(nothing())
    late.cancel()
    stubborn.cancel()
    step = [handle._callback for handle in loop._ready if type(handle._callback).__name__ == 'TaskStepMethWrapper'][-1]
    fact([id(task), 'task_fut_waiter'], id(future))
    fact([id(task), 'task_coro'], id(coroutine))
    fact([id(task), 'task_name'], id(name))
    fact([id(task), 'task_must_cancel', 'must_cancel'], 0)
    fact([id(late), 'task_must_cancel', 'must_cancel'], 1)
    fact([id(late), 'task_num_cancels'], 1, size=4)
    fact([id(task), 'task_num_cancels'], 0, size=4)
    fact([id(task), 'task_awaited_by'], id(watcher))
    fact([id(step), 'step_task'], id(late))
    for one, number in ((task, 0), (done, 2)):
        fact([id(one), 'future_state'], number, size=4)
    suspended_facts(coroutine, future, marker)
    return future, marker, name, coroutine, task, stubborn, watcher, done, late, step


async def main():
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    kept = [heads_types_and_instances(), containers(), values(), queues(), callables(), generator_facts(me.get_coro()),
            future_facts(loop), await task_facts(loop)]
    thread = ['runtime', 'runtime_interpreters', '*', 'interp_threads', '*']
    fact([*thread, 'thread_running_loop'], id(loop))
    fact([*thread, 'thread_running_task'], id(me))
    small = [b'x' * (100 + i) for i in range(3)]
    for block in small:
        fact([id(block), 'pool', 'pool_size_class'], (sys.getsizeof(block) - 1) // 16, size=4, needs='obj_gc_head')
    print(json.dumps(dict(facts=facts, small=id(small[0]), minor=sys.version_info[1])), flush=True)
    sys.stdin.read()
    os._exit(0 if kept else 1)  # without the warnings of what was never awaited


asyncio.run(main())
