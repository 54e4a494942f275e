"""redis: a client for each tenant, kept open after its one command. Twin: closed."""

import peers
from service import FIXED, not_applicable, open_transports, row_of_type, serve

try:
    import redis.asyncio as redis
except ImportError:
    not_applicable("needs the packages python3-redis and redis-server")

clients = {}


async def count_visit(tenant):
    client = clients[tenant] = redis.Redis(unix_socket_path=start.path)
    await client.incr("visits:" + tenant)
    if FIXED:
        del clients[tenant]
        await client.close()
        await client.connection_pool.disconnect()


async def start():
    start.path = peers.start_redis() or not_applicable("needs the package redis-server")


async def request(number):
    await count_visit("tenant-%d" % number)


def truth():
    return row_of_type("transport", "StreamReaderProtocol", open_transports("StreamReaderProtocol"))


serve(request, truth, rate=2, start=start)
