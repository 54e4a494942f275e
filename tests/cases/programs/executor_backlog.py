"""Thumbnails are made in one thread, which hangs in each broken picture. Twin: with a time limit."""

import asyncio
import concurrent.futures
import time

from service import FIXED, row, serve, tasks_of

pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)


def shrink(picture):
    time.sleep(0.02 if FIXED else 5)  # waits for the decoder, without the GIL
    return picture[:10]


async def thumbnail(number):
    return await asyncio.get_running_loop().run_in_executor(pool, shrink, bytes(1000))


async def request(number):
    asyncio.ensure_future(thumbnail(number))


serve(request, lambda: row("task", thumbnail, tasks_of(thumbnail)), rate=8)
