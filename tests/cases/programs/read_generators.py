"""Event streams through async generators, read to the end or closed; ten are open at any time."""

import asyncio
import collections

from service import row, serve

open_feeds = collections.deque()


async def feed(number):
    for each in range(50):
        await asyncio.sleep(0)
        yield number, each


async def request(number):
    events = feed(number)
    open_feeds.append(events)
    await events.__anext__()
    if len(open_feeds) > 10:
        await open_feeds.popleft().aclose()
    async for _, each in feed(-number):
        pass


serve(request, lambda: row("asyncgen", feed, len(open_feeds)), rate=15)
