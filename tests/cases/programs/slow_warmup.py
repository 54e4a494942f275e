"""A keeper for each of 200 hot products, started when one is first asked for: fewer and fewer new ones."""

import asyncio
import random

from service import row, serve, tasks_of

PRODUCTS = 200
keepers = {}


async def keep_fresh(product):
    while True:
        await asyncio.sleep(5 + product % 5)


async def request(number):
    product = random.randrange(PRODUCTS)
    if product not in keepers:
        keepers[product] = asyncio.ensure_future(keep_fresh(product))


serve(request, lambda: row("task", keep_fresh, tasks_of(keep_fresh)), rate=25)
