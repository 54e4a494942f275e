"""Every session starts a heartbeat, and closing the session does not stop it. Twin: close() cancels it."""

import asyncio

from service import FIXED, row, serve, tasks_of

background_tasks = set()


class Session:
    def open(self):
        self.heart = asyncio.ensure_future(self.heartbeat())
        background_tasks.add(self.heart)
        self.heart.add_done_callback(background_tasks.discard)

    async def heartbeat(self):
        while True:
            await asyncio.sleep(5)

    def close(self):
        if FIXED:
            self.heart.cancel()
            self.heart = None  # its CancelledError refers to this session: no cycle for the collector


async def request(number):
    session = Session()
    session.open()
    await asyncio.sleep(0.005)
    session.close()


serve(request, lambda: row("task", Session.heartbeat, tasks_of(Session.heartbeat), "set", "background_tasks"))
