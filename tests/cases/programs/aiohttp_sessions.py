"""aiohttp client: a session for each tenant, used once and never closed. Twin: closed after use."""

import peers
from service import FIXED, not_applicable, open_transports, row_of_type, serve

try:
    import aiohttp
except ImportError:
    not_applicable("needs the package python3-aiohttp")

sessions = {}


async def fetch(tenant, url):
    # The answers come slowly after a pause of a minute: connections are kept for longer.
    session = sessions.setdefault(tenant, aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=300)))
    async with session.get(url) as response:
        text = await response.text()
    if FIXED:
        await sessions.pop(tenant).close()
    return text


async def start():
    start.url = "http://%s:%d/" % (peers.HOST, peers.start("http"))


async def request(number):
    await fetch("tenant-%d" % number, start.url)


def truth():
    return row_of_type("transport", "ResponseHandler", open_transports("ResponseHandler"))


serve(request, truth, rate=3, start=start)
