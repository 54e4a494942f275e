"""Every 40 s three hundred mails are to be sent, ten at a time: the queue of tasks drains in 20 s."""

import asyncio

from service import elapsed, row, serve, tasks_of

at_once = asyncio.Semaphore(10)
EVERY_S = 40
bursts = 0


async def send_mail(number):
    async with at_once:
        await asyncio.sleep(0.65)


async def request(number):
    global bursts
    if elapsed() >= EVERY_S * bursts:
        bursts += 1
        for each in range(300):
            asyncio.ensure_future(send_mail(each))


serve(request, lambda: row("task", send_mail, tasks_of(send_mail)), rate=5)
