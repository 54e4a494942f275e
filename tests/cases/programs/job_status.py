"""Jobs are kept by number so that their status can be asked for, and never taken out. Twin: forgotten after a while."""

import asyncio

from service import FIXED, row, serve, tasks_of


class Jobs:
    def __init__(self):
        self.by_number = {}

    def submit(self, number):
        task = self.by_number[number] = asyncio.ensure_future(self.run(number))
        if FIXED:
            forget = lambda _: asyncio.get_running_loop().call_later(2, self.by_number.pop, number)  # noqa: E731
            task.add_done_callback(forget)

    async def run(self, number):
        await asyncio.sleep(0.05)
        return {"number": number, "pages": 10}

    def status(self, number):
        task = self.by_number.get(number)
        return "unknown" if task is None else "done" if task.done() else "running"


jobs = Jobs()


async def request(number):
    jobs.submit(number)
    await asyncio.sleep(0.001)
    jobs.status(number)


serve(request, lambda: row("task", Jobs.run, tasks_of(Jobs.run, done=True)), rate=3)
