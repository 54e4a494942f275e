"""redis: each session subscribes to its channel and listens; nobody ends that. Twin: cancelled, and closed."""

import asyncio

import peers
from service import FIXED, not_applicable, row, serve, tasks_of

try:
    import redis.asyncio as redis
except ImportError:
    not_applicable("needs the packages python3-redis and redis-server")


class Session:
    def __init__(self, client, number):
        self.pubsub = client.pubsub()
        self.channel = "session-%d" % number
        self.news = []

    async def open(self):
        await self.pubsub.subscribe(self.channel)
        self.listener = asyncio.create_task(self.listen())

    async def listen(self):
        async for message in self.pubsub.listen():
            self.news.append(message)

    async def close(self):
        if FIXED:
            self.listener.cancel()
            await asyncio.wait([self.listener])
            self.listener = None
            await self.pubsub.reset()


async def start():
    path = peers.start_redis() or not_applicable("needs the package redis-server")
    start.client = redis.Redis(unix_socket_path=path)


async def request(number):
    session = Session(start.client, number)
    await session.open()
    await start.client.publish(session.channel, "welcome")
    await session.close()


serve(request, lambda: row("task", Session.listen, tasks_of(Session.listen)), rate=4, start=start)
