"""aiohttp client: a session for each tenant, used once and never closed. Twin: closed after use."""

import peers
from service import FIXED, not_applicable, row_of_type, serve

try:
    import aiohttp
except ImportError:
    not_applicable("needs the package python3-aiohttp")

sessions = {}


async def fetch(tenant, url):
    session = sessions.setdefault(tenant, aiohttp.ClientSession())
    async with session.get(url) as response:
        text = await response.text()
    if FIXED:
        await sessions.pop(tenant).close()
    return text


async def start():
    start.url = "http://%s:%d/" % (peers.HOST, peers.start("http"))


async def request(number):
    await fetch("tenant-%d" % number, start.url)


serve(request, lambda: row_of_type("transport", "ResponseHandler", len(sessions)), rate=3, start=start)
