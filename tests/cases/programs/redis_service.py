"""redis: one client with a pool, pipelines, and one listener for all channels."""

import asyncio

import peers
from service import not_applicable, row, serve, tasks_of

try:
    import redis.asyncio as redis
except ImportError:
    not_applicable("needs the packages python3-redis and redis-server")

inbox = []


async def listen(pubsub):
    async for message in pubsub.listen():
        inbox.append(message)
        del inbox[:-100]


async def start():
    path = peers.start_redis() or not_applicable("needs the package redis-server")
    pool = redis.ConnectionPool(connection_class=redis.UnixDomainSocketConnection, path=path, max_connections=10)
    start.client = redis.Redis(connection_pool=pool)
    pubsub = start.client.pubsub()
    await pubsub.psubscribe("news:*")
    start.listener = asyncio.create_task(listen(pubsub))


async def visit(number):
    async with start.client.pipeline() as pipeline:
        await pipeline.incr("visits").expire("visits", 60).execute()
    await start.client.publish("news:%d" % (number % 5), "visit")


async def request(number):
    await asyncio.gather(visit(number), visit(number + 1))


serve(request, lambda: row("task", visit, tasks_of(visit)), rate=8, start=start)
