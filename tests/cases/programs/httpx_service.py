"""httpx: one client, a handful of requests at once, streams closed."""

import asyncio

import peers
from service import not_applicable, row, serve, tasks_of

try:
    import httpx
except ImportError:
    not_applicable("needs the package python3-httpx")


async def look_up(client, number):
    if number % 10:
        return (await client.get(start.url)).text
    async with client.stream("GET", start.url + "stream") as response:
        async for piece in response.aiter_bytes():
            return piece


async def start():
    start.url = "http://%s:%d/" % (peers.HOST, peers.start("http"))
    start.client = httpx.AsyncClient(trust_env=False, verify=False)


async def request(number):
    await asyncio.gather(*(look_up(start.client, number + each) for each in range(3)))


serve(request, lambda: row("task", look_up, tasks_of(look_up)), rate=3, start=start)
