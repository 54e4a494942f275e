"""A page asks three services; when one fails the page fails, and its siblings wait on. Twin: cancels them."""

import asyncio

from service import FIXED, row, serve, tasks_of

replies = {}


async def ask(service, number):
    if service == "prices" and number % 5 == 0:
        raise ConnectionError("prices are down")
    if number % 5 == 0:  # they wait for what the prices would have told them
        replies[service, number] = asyncio.get_running_loop().create_future()
        try:
            return await replies[service, number]
        finally:
            del replies[service, number]
    await asyncio.sleep(0.003)
    return service


async def page(number):
    parts = [asyncio.ensure_future(ask(service, number)) for service in ("prices", "stock", "reviews")]
    try:
        return await asyncio.gather(*parts)
    except ConnectionError:
        if FIXED:
            for part in parts:
                part.cancel()


serve(page, lambda: row("task", ask, tasks_of(ask)), rate=20)
