# Coroutines and tasks at rest in every way they can be, and what the interpreter itself says about them.
# Used by coroutines_test.cpp and awaits_test.cpp.
import asyncio, contextlib, functools, gc, json, sys, types

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
keep = []
facts = {'generators': [], 'locals': [], 'chains': [], 'tasks': [], 'waiters': []}


# What a generator-like object says of itself.

KINDS = {types.CoroutineType: 'cr', types.AsyncGeneratorType: 'ag', types.GeneratorType: 'gi'}

def own(generator, name):
    return getattr(generator, KINDS[type(generator)] + '_' + name)

def awaited(generator):
    return own(generator, 'yieldfrom' if isinstance(generator, types.GeneratorType) else 'await')

def place(generator):
    frame, code = own(generator, 'frame'), own(generator, 'code')
    return [generator.__qualname__, code.co_filename, None if frame is None else frame.f_lineno]

def generator(state, it):
    keep.append(it)
    value = None if state == 'running' else awaited(it)
    facts['generators'].append({'state': state, 'id': id(it), 'place': place(it), 'code': id(own(it, 'code')),
                                'awaits': 0 if value is None else id(value)})

def local_variables(it, arguments):
    keep.append(it)
    values = own(it, 'frame').f_locals
    names = arguments + sorted(set(values) - set(arguments))
    facts['locals'].append({'id': id(it), 'arguments': len(arguments), 'values': [[n, id(values[n])] for n in names]})


# Chains, followed from inside. An object without attributes is asked for what it refers to.

def referent(it, *kinds):
    return next((r for r in gc.get_referents(it) if type(r).__name__ in kinds or isinstance(r, asyncio.Future)), None)

def chain(coroutine):
    keep.append(coroutine)
    frames, at = [], coroutine
    while at is not None:
        name = type(at).__name__
        if type(at) in KINDS:
            frames.append(place(at))
            at = awaited(at)
        elif name in ('async_generator_asend', 'async_generator_athrow'):
            at = referent(at, 'async_generator')
        elif name == 'anext_awaitable':
            at = referent(at, 'async_generator_asend')
        elif name == 'coroutine_wrapper':
            at = referent(at, 'coroutine')
        else:
            if name == 'FutureIter':
                at = referent(at)
            break
    kind = '' if at is None else type(at).__module__ + '.' + type(at).__qualname__
    facts['chains'].append({'id': id(coroutine), 'awaitable': id(at) if at is not None else 0, 'type': kind,
                            'frames': frames[::-1]})

def task(state, it, name, cancel=False):
    keep.append(it)
    failure = it.exception() if state == 'failed' else None
    facts['tasks'].append({'id': id(it), 'state': state, 'cancel': cancel, 'name': name, 'coroutine': id(it.get_coro()),
                           'result': id(it.result()) if state == 'finished' else 0,
                           'exception': id(failure) if failure is not None else 0})

def waiters(it, *expected):
    keep.append(it)
    facts['waiters'].append({'id': id(it), 'expected': [
        [how, id(of) if isinstance(of, asyncio.Future) else 0, of if isinstance(of, str) else ''] for how, of in expected]})


# The things themselves.

async def leaf(event):
    value = [1,
             await event.wait(),
             3]
    return value

async def middle(event):
    for number in range(3):
        await leaf(
            event)

async def outer(event):
    async with asyncio.Lock():
        with contextlib.suppress(ValueError):
            await middle(event)

async def sleeper():
    await asyncio.sleep(100000)

async def ticks(event):
    try:
        yield 1
        for number in [5, 6]:
            await event.wait()
            yield number
    finally:
        await event.wait()

async def listener(event):
    async for tick in ticks(event):
        pass

async def commenting(event):
    return [(await event.wait(), tick) async for tick in ticks(event)]

class Door:
    async def __aenter__(self):
        await loop.create_future()
    async def __aexit__(self, *error):
        pass

@contextlib.asynccontextmanager
async def gate(event):
    await event.wait()
    yield

async def enters(door):
    async with door:
        pass

async def leaves(event):
    async with Leaving(event):
        pass

class Leaving:
    def __init__(self, event):
        self.event = event
    async def __aenter__(self):
        return self
    async def __aexit__(self, *error):
        await self.event.wait()

@types.coroutine
def delegating(awaitable):
    for number in range(2):
        yield from awaitable.__await__()

@types.coroutine
def bare():
    for number in range(2):
        yield

async def through(function, *arguments):
    await function(*arguments)

class Wrapped:
    def __init__(self, awaitable):
        self.awaitable = awaitable
    def __await__(self):
        return self.awaitable.__await__()

class Looping:
    def __init__(self, awaitable):
        self.awaitable = awaitable
    def __await__(self):
        while True:
            yield from self.awaitable.__await__()

class Iterating:
    def __await__(self):
        return self
    __iter__ = __await__
    def __next__(self):
        return None

async def awaits(awaitable):
    return await awaitable

async def closes(event):
    it = ticks(event)
    await it.__anext__()
    await it.aclose()

async def throws(event):
    it = ticks(event)
    await it.__anext__()
    await it.athrow(KeyError())

async def next_or(event, default):
    it = ticks(event)
    await it.__anext__()
    await anext(it, default)

async def deep(event, depth):
    if depth:
        await deep(event, depth - 1)
    else:
        await event.wait()

async def gathers(*futures):
    return await asyncio.gather(*futures)

async def shields(future):
    return await asyncio.shield(future)

async def waits(*futures):
    await asyncio.wait(futures)

async def waits_for(future):
    await asyncio.wait_for(future, 100000)

async def completes(*futures):
    for first in asyncio.as_completed(futures):
        await first

async def groups(started, *coroutines):
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            started.append(group.create_task(coroutine))

async def times_out(future):
    async with asyncio.timeout(100000):
        await future

async def swallows(event):
    while True:
        try:
            await event.wait()
        except asyncio.CancelledError:
            pass

async def returns(value):
    return value

async def raises():
    raise KeyError('no')

def numbers():
    for number in range(3):
        yield number

def more_numbers():
    yield 0
    yield from numbers()

class Listeners:
    def heard(self, future): pass

def forget(one, other): pass

def step(it):
    it.send(None)
    return it

def settle():
    for _ in range(8):
        loop.run_until_complete(asyncio.sleep(0))

def run(coroutine):
    it = loop.create_task(coroutine)
    keep.append(it)
    settle()
    return it

def generators(event):
    generator('created', outer(event))
    generator('created', ticks(event))
    generator('created', numbers())
    for coroutine in (outer(event), sleeper()):
        generator('suspended', run(coroutine).get_coro())
    at_yield, at_await = ticks(event), ticks(event)
    run(awaits(at_yield.__anext__()))
    generator('suspended', at_yield)
    for _ in range(2):
        run(awaits(at_await.__anext__()))
    generator('suspended', at_await)
    generator('suspended', step(numbers()))  # the iterator of the loop is on top of its stack
    generator('suspended', step(more_numbers()))
    generator('suspended', step(step(more_numbers())))
    generator('suspended', step(bare()))
    generator('suspended', run(through(delegating, Wrapped(loop.create_future()))).get_coro())
    finished = numbers()
    list(finished)
    generator('finished', finished)
    done = returns(1)
    run(done)
    generator('finished', done)
    closed = ticks(event)
    run(awaits(closed.aclose()))
    generator('finished', closed)

def variables(event):
    outside = object()

    async def many(first, shared, /, *rest, key, **others):
        plain = 'ä' * 3
        if event is None:
            unbound = 1
        inner = lambda: (shared, key, cell, outside)
        cell = [inner, first]
        await event.wait()
        del plain
        return plain

    local_variables(run(many(object(), 'shared', 1, 2, key=3.5, other=4)).get_coro(),
                    ['first', 'shared', 'key', 'rest', 'others'])
    local_variables(many(object(), None, key=3.5), ['first', 'shared', 'key', 'rest', 'others'])
    local_variables(run(deep(event, 1)).get_coro(), ['event', 'depth'])
    half = numbers()
    next(half)
    local_variables(half, [])

def chains(event):
    future = loop.create_future()
    waiting = [outer(event), sleeper(), listener(event), commenting(event), enters(Door()), leaves(event),
               enters(gate(event)), through(delegating, Wrapped(future)), awaits(future), awaits(Wrapped(future)),
               awaits(Wrapped(outer(event))), awaits(Looping(future)), awaits(run(sleeper())),
               awaits(asyncio.gather(future)), closes(event), throws(event), deep(event, 150), gathers(future),
               shields(future), waits_for(future), waits(future)]
    if sys.version_info >= (3, 10):
        waiting.append(next_or(event, None))
    for coroutine in waiting:
        run(coroutine)
        chain(coroutine)
    for coroutine in (awaits(Iterating()), through(bare)):
        chain(step(coroutine))
    chain(outer(event))
    chain(run(returns(1)).get_coro() or returns(1))

def tasks(event):
    first, second = loop.create_task(sleeper()), loop.create_task(sleeper())
    settle()
    number = int(second.get_name().split('-')[1])
    task('pending', first, 'Task-%d' % (number - 1))  # never asked for: 3.12+ keeps the number alone
    task('pending', second, second.get_name())
    named = run(sleeper())
    named.set_name('näme')
    task('pending', named, 'näme')
    for state, it in (('finished', run(returns(7))), ('failed', run(raises()))):
        task(state, it, it.get_name())
    cancelled = run(sleeper())
    cancelled.cancel()
    settle()
    task('cancelled', cancelled, cancelled.get_name())
    swallowing = run(swallows(event))
    swallowing.cancel()
    settle()
    task('pending', swallowing, swallowing.get_name(), hasattr(swallowing, 'cancelling'))
    task('pending', run_as(type('Subclass', (asyncio.Task,), {}), sleeper()), 'of a subclass')

def run_as(kind, coroutine):
    it = kind(coroutine, loop=loop, name='of a subclass')
    settle()
    return it

def all_waiters(event):
    modern = sys.version_info >= (3, 12)
    for how, function in (('task', awaits), ('gather', gathers), ('shield', shields), ('wait', waits),
                          ('task' if modern else 'wait', waits_for), ('wait', completes)):
        for of in (loop.create_future(), run(sleeper())):
            waiters(of, (how, run(function(of))))
    both = loop.create_future()
    waiters(both, ('gather', run(gathers(both))), ('shield', run(shields(both))), ('task', run(awaits(both))))
    nested = loop.create_future()
    waiters(nested, ('gather', run(awaits(asyncio.gather(asyncio.shield(asyncio.gather(nested)))))))
    waiters(loop.create_future())
    heard = loop.create_future()
    background = set()
    for callback in (background.discard, Listeners().heard, functools.partial(functools.partial(forget, 1), 2),
                     lambda done: None, first_task.cancel, print):
        heard.add_done_callback(callback)
    waiters(heard, ('callback', 'set.discard'), ('callback', 'Listeners.heard'), ('callback', 'forget'),
            ('callback', 'all_waiters.<locals>.<lambda>'), ('callback', 'Task.cancel'), ('callback', 'print'))
    if hasattr(asyncio, 'TaskGroup'):
        started = []
        parent = run(groups(started, sleeper(), sleeper()))
        for child in started:
            waiters(child, ('task-group', parent))
    if hasattr(asyncio, 'timeout'):
        future = loop.create_future()
        waiters(future, ('task', run(times_out(future))))

async def tell():
    cancelled_early = loop.create_task(sleeper())
    cancelled_early.cancel()
    task('pending', cancelled_early, cancelled_early.get_name(), True)
    generator('running', running.get_coro())
    facts['generators'][-1]['place'][2] += 2
    print(json.dumps(facts), flush=True), sys.stdin.read()

event = asyncio.Event()
first_task = run(sleeper())
generators(event)
variables(event)
chains(event)
tasks(event)
all_waiters(event)
gc.collect()
running = loop.create_task(tell())
loop.run_until_complete(running)
