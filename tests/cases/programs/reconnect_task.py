"""Each time the line drops a new reader is started, and nobody stops the old one. Twin: cancels it first."""

import asyncio

from service import FIXED, row, serve, tasks_of


class Feed:
    def __init__(self):
        self.reader = None
        self.line = asyncio.Queue()
        self.seen = 0

    def connection_lost(self):
        if FIXED and self.reader:
            self.reader.cancel()
        self.reader = asyncio.ensure_future(self.read_forever())

    async def read_forever(self):
        while True:
            await self.line.get()
            self.seen += 1


feed = Feed()


async def hiccup(number):
    feed.line.put_nowait(number)
    feed.connection_lost()


serve(hiccup, lambda: row("task", Feed.read_forever, tasks_of(Feed.read_forever)), rate=1)
