"""What cannot be sent now is put aside as a coroutine, and the list is never worked off. Twin: it is, every second."""

import asyncio

from service import FIXED, row, serve


class Outbox:
    def __init__(self):
        self.retry_later = []

    async def deliver(self, number, body):
        await asyncio.sleep(0.001)

    async def send(self, number, online):
        delivery = self.deliver(number, "x" * 200)
        if online:
            await delivery
        else:
            self.retry_later.append(delivery)

    async def work_off(self):
        while True:
            await asyncio.sleep(1)
            waiting, self.retry_later = self.retry_later, []
            for delivery in waiting:
                await delivery


outbox = Outbox()


async def start():
    if FIXED:
        start.worker = asyncio.ensure_future(outbox.work_off())


async def request(number):
    await outbox.send(number, online=number % 10 > 2)


serve(request, lambda: row("coroutine", Outbox.deliver, len(outbox.retry_later)), rate=15, start=start)
