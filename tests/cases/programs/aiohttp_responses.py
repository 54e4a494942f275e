"""aiohttp client: of a stream only the first piece is read, and the response not released. Twin: `async with`."""

import peers
from service import FIXED, not_applicable, open_transports, row_of_type, serve

try:
    import aiohttp
except ImportError:
    not_applicable("needs the package python3-aiohttp")

opened = []


async def first_event(session, url):
    if FIXED:
        async with session.get(url) as response:
            return await response.content.readany()
    response = await session.get(url)
    opened.append(response)
    return await response.content.readany()


async def start():
    start.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    start.url = "http://%s:%d/stream" % (peers.HOST, peers.start("http"))


async def request(number):
    await first_event(start.session, start.url)


def truth():
    return row_of_type("transport", "ResponseHandler", open_transports("ResponseHandler"))


serve(request, truth, rate=4, start=start)
