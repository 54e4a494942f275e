"""Guests stay for one to three minutes, and come in waves: 60 to 120 of them, some are always there."""

import asyncio
import math
import random

from service import elapsed, row, serve, tasks_of

STAY_S = (60, 180)


async def guest(stay_s):
    left = stay_s
    while left > 0:
        pause = min(left, random.uniform(3, 9))
        await asyncio.sleep(pause)
        left -= pause


async def start():
    # As it is when they have come at that rate for long: who stays longer is met more often, half way through.
    for _ in range(90):
        stay_s = max(random.uniform(*STAY_S) for _ in range(2))
        asyncio.ensure_future(guest(random.uniform(0, stay_s)))


async def request(number):
    rate = 0.75 * (1 + 0.4 * math.sin(elapsed() / 150 * 2 * math.pi))
    if random.random() < rate / 5:
        asyncio.ensure_future(guest(random.uniform(*STAY_S)))


serve(request, lambda: row("task", guest, tasks_of(guest)), rate=5, start=start)
