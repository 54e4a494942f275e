"""The fastest of three mirrors is taken and the loop left; the slow ones never answer. Twin: cancels what is left."""

import asyncio

from service import FIXED, row, serve, tasks_of

MIRRORS = ("near", "far", "dead")
never = asyncio.Event()


async def fetch(mirror, path):
    if mirror == "dead":
        await never.wait()
    await asyncio.sleep(0.002 if mirror == "near" else 0.02)
    return mirror, path


async def download(number):
    fetches = [asyncio.ensure_future(fetch(mirror, number)) for mirror in MIRRORS]
    for first in asyncio.as_completed(fetches):
        answer = await first
        break
    if FIXED:
        for each in fetches:
            each.cancel()
    return answer


serve(download, lambda: row("task", fetch, tasks_of(fetch)), rate=8)
