"""A hub with a queue for each subscriber; who leaves stays subscribed, and is sent everything. Twin: unsubscribes."""

import asyncio

from service import FIXED, row_of_type, serve


class Hub:
    def __init__(self):
        self.subscribers = []

    def publish(self, event):
        for queue in self.subscribers:
            queue.put_nowait(event)

    async def listen(self, events):
        queue = asyncio.Queue()
        self.subscribers.append(queue)
        try:
            for _ in range(events):
                await queue.get()
        finally:
            if FIXED:
                self.subscribers.remove(queue)


hub = Hub()
visits = set()


async def request(number):
    hub.publish({"number": number, "text": "x" * 500 + str(number)})
    if number % 4 == 0:
        visit = asyncio.ensure_future(hub.listen(3))
        visits.add(visit)
        visit.add_done_callback(visits.discard)


def truth():
    return row_of_type("queue", "asyncio.queues.Queue", sum(queue.qsize() for queue in hub.subscribers))


serve(request, truth, rate=8)
