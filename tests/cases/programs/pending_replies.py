"""Calls over a bus: when the answer does not come in time its future stays in the table. Twin: it is taken out."""

import asyncio
import itertools

from service import FIXED, row_of_type, serve


class Bus:
    def __init__(self):
        self.pending = {}
        self.ids = itertools.count()

    async def call(self, payload):
        message_id = next(self.ids)
        reply = self.pending[message_id] = asyncio.get_running_loop().create_future()
        if message_id % 2:
            asyncio.get_running_loop().call_later(0.002, self.replied, message_id, payload)
        try:
            return await asyncio.wait_for(reply, 0.01)
        finally:
            if FIXED:
                self.pending.pop(message_id, None)

    def replied(self, message_id, payload):
        self.pending.pop(message_id).set_result(payload)


bus = Bus()


async def request(number):
    try:
        await bus.call(b"ping")
    except asyncio.TimeoutError:
        pass


serve(request, lambda: row_of_type("container", "_asyncio.Future", len(bus.pending)), rate=40)
