"""Thumbnails are made in one thread, and ordered faster than it works. Twin: as many threads as it takes."""

import asyncio
import concurrent.futures
import time

from service import FIXED, row, serve, tasks_of

pool = concurrent.futures.ThreadPoolExecutor(max_workers=8 if FIXED else 1)


def shrink(picture):
    time.sleep(0.5)  # in C, without the GIL
    return picture[:10]


async def thumbnail(number):
    return await asyncio.get_running_loop().run_in_executor(pool, shrink, bytes(1000))


async def request(number):
    asyncio.ensure_future(thumbnail(number))


serve(request, lambda: row("task", thumbnail, tasks_of(thumbnail)), rate=8)
