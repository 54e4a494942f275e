# One of each thing that evidence.h, code_uses.h and circles.h tell apart; run by evidence_test.cpp.
import asyncio, functools, gc, json, sys

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
facts = {'codes': {}, 'callbacks': {}, 'tasks': {}, 'circles': [], 'containers': {}, 'queues': {}, 'no_code': id(gc)}
kept = []


def keep(it):
    kept.append(it)
    return id(it)


def settle():
    for _ in range(10):
        loop.run_until_complete(asyncio.sleep(0))


def run(coroutine):
    task = loop.create_task(coroutine)
    kept.append(task)
    settle()
    return task


async def races(tasks):
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def races_by_text(tasks):
    await asyncio.wait(tasks, return_when='FIRST_COMPLETED')


async def limits(tasks):
    done, pending = await asyncio.wait(tasks, timeout=1)
    for task in pending:
        task.cancel()


async def shields(task):
    await asyncio.wait_for(asyncio.shield(task), 1)


async def plain(task):
    await task


class Clock:
    def itself(self):
        loop.call_later(1, self.itself)

    def by_a_method(self):
        self.again()

    def again(self):
        loop.call_at(1, self.by_a_method)

    def once(self):
        print('tick')


def by_a_function():
    later()


def later():
    loop.call_later(1, by_a_function)


async def sleeps():
    await loop.create_future()


async def fails():
    raise ValueError


async def swallows():
    while True:
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            pass


async def cleans_up():
    try:
        await loop.create_future()
    finally:
        await loop.create_future()


async def collects(tasks):
    try:
        await asyncio.gather(*tasks)
    except ValueError:
        pass


async def takes_first(tasks):
    for first in asyncio.as_completed(tasks):
        await first
        break


async def quick():
    pass


def task_fact(name, task, awaited=0, gather=0, as_completed=0, swallowed=0, pending=1):
    facts['tasks'][name] = dict(id=keep(task), pending=pending, awaited=awaited, gather=gather,
                                as_completed=as_completed, swallowed=swallowed)


def tasks():
    counts = int(sys.version_info >= (3, 11))  # tasks count their cancellations
    task_fact('nobody', run(sleeps()))
    task_fact('finished', run(quick()), pending=0)
    awaited = run(sleeps())
    run(plain(awaited))
    task_fact('a task', awaited, awaited=1)
    gathered = run(sleeps())
    run(collects([gathered]))
    task_fact('gather', gathered, awaited=1)
    orphan = run(sleeps())
    run(collects([orphan, loop.create_task(fails())]))
    task_fact('gather that failed', orphan, gather=1)
    left = run(sleeps())
    run(takes_first([left, loop.create_task(quick())]))
    task_fact('as_completed left', left, as_completed=1)
    next_one = run(sleeps())
    run(takes_first([next_one]))
    task_fact('as_completed', next_one, awaited=1)
    for name, function, value in (('swallows', swallows, counts), ('cleans up', cleans_up, 0)):
        task = run(function())
        task.cancel()
        settle()
        task_fact(name, task, swallowed=value)
    inner = run(swallows())
    passing = run(plain(inner))
    passing.cancel()
    settle()
    task_fact('passes it on', passing)


async def wait_for_each_other(others, how):
    while not others:
        await asyncio.sleep(0)
    await how(others)


async def directly(others):
    await others[0]


async def gathers(others):
    await asyncio.gather(*others)


async def waits(others):
    await asyncio.wait(others)


async def waits_for_a_time(others):
    await asyncio.wait(others, timeout=3600)


async def is_shielded(others):
    await asyncio.shield(others[0])


async def for_a_time(others):
    async with asyncio.timeout(3600):
        await others[0]


def circle(*hows, stuck=True, more=()):
    slots = [[] for _ in hows]
    members = [loop.create_task(wait_for_each_other(slot, how)) for slot, how in zip(slots, hows)]
    settle()
    for i, slot in enumerate(slots):
        slot.append(members[(i + 1) % len(members)])
    slots[0].extend(more)
    settle()
    kept.extend(members)
    if stuck:
        facts['circles'].extend(id(member) for member in members)
    return members


def circles():
    first, second = circle(directly, directly)
    facts['circles'].append(id(run(plain(first))))
    circle(directly, gathers)
    circle(waits, is_shielded, directly)
    circle(gathers, gathers)
    circle(gathers, directly, stuck=False, more=[run(sleeps())])  # may end, and end the circle
    circle(waits_for_a_time, directly, stuck=False)
    if sys.version_info >= (3, 11):
        circle(for_a_time, directly, stuck=False)
    cancelled_later = circle(directly, directly, stuck=False)[0]
    loop.call_later(3600, cancelled_later.cancel)
    run(plain(run(sleeps())))


def containers():
    for name, items in (('methods', [Clock().once for _ in range(100)]),
                        ('functions', {functools.partial(print, i): None for i in range(100)}),
                        ('partials', [functools.partial(later) for _ in range(100)]),
                        ('dict of functions', {i: (lambda: i) for i in range(100)}),
                        ('tasks', {loop.create_task(quick()) for _ in range(70)}),
                        ('numbers', list(range(100))),
                        ('half', [later, 1] * 50)):
        facts['containers'][name] = keep(list(items) if name == 'functions' else items)

    async def queues():
        for name, queue in (('unbounded', asyncio.Queue()), ('bounded', asyncio.Queue(50)), ('waiting', asyncio.Queue())):
            if name == 'waiting':
                kept.append(asyncio.ensure_future(queue.get()))
                await asyncio.sleep(0)
            else:
                queue.put_nowait(1)
            facts['queues'][name] = [keep(queue), id(queue._queue)]

    loop.run_until_complete(queues())


for function in (races, races_by_text, limits, shields, plain):
    facts['codes'][function.__name__] = id(function.__code__)
clock = Clock()
for name, callback in (('itself', clock.itself), ('by a method', clock.by_a_method), ('by a function', by_a_function),
                       ('partial', functools.partial(clock.by_a_method)), ('once', clock.once), ('builtin', print)):
    facts['callbacks'][name] = keep(callback)
tasks()
circles()
containers()


async def tell():
    print(json.dumps(facts), flush=True)
    sys.stdin.read()


loop.run_until_complete(tell())
