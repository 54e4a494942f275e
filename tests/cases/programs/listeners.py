"""Every client listens to an emitter, and goes away without a word. Twin: it unsubscribes."""

import asyncio

from service import FIXED, row, serve, tasks_of


class Emitter:
    def __init__(self):
        self.listeners = []
        self.changed = asyncio.Event()


class Client:
    def subscribe(self):
        self.task = asyncio.ensure_future(self.listen())
        emitter.listeners.append(self.task)

    def unsubscribe(self):
        emitter.listeners.remove(self.task)
        self.task.cancel()
        self.task = None  # its CancelledError refers to this client: no cycle for the collector

    async def listen(self):
        await emitter.changed.wait()


emitter = None


async def start():
    global emitter
    emitter = Emitter()


async def request(number):
    client = Client()
    client.subscribe()
    await asyncio.sleep(0.005)
    if FIXED:
        client.unsubscribe()


serve(
    request,
    lambda: row("task", Client.listen, tasks_of(Client.listen), "list", "listeners", "Emitter"),
    start=start,
)
