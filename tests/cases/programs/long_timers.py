"""Offers that expire after a minute: always 300 timers, some come, some go."""

import asyncio
import random

from service import objects_of, row, serve

LASTS_S = 60


class Offer:
    def __init__(self, lasts_s):
        self.open = True
        asyncio.get_running_loop().call_later(lasts_s, self.expire)

    def expire(self):
        self.open = False


async def start():
    for _ in range(300):
        Offer(random.uniform(0, LASTS_S))


async def request(number):
    Offer(LASTS_S)


serve(request, lambda: row("timer", Offer.expire, objects_of(Offer)), rate=5, start=start)
