"""Tasks are kept so that they are not collected, also when they are done. Twin: the callback that discards them."""

import asyncio

from service import FIXED, row, serve, tasks_of

history = []
running = set()


async def job(number):
    await asyncio.sleep(0.001)
    return {"number": number, "body": bytes(1000)}


async def request(number):
    task = asyncio.ensure_future(job(number))
    if FIXED:
        running.add(task)
        task.add_done_callback(running.discard)
    else:
        history.append(task)


serve(request, lambda: row("task", job, tasks_of(job, done=True), "list", "history"))
