"""A coroutine function is called, the coroutine kept, and nobody awaits it. Twin: it is awaited."""

import asyncio

from service import FIXED, row, serve

outbox = []


async def send_mail(to, body):
    await asyncio.sleep(0)


async def request(number):
    outbox.append(send_mail(number, bytes(1000)))
    if FIXED:
        await outbox.pop()


serve(request, lambda: row("coroutine", send_mail, len(outbox)))
