"""httpx: a streaming answer is looked at and not closed, when it is not what was hoped for. Twin: always closed."""

import peers
from service import FIXED, not_applicable, open_transports, row_of_type, serve

try:
    import httpx
except ImportError:
    not_applicable("needs the package python3-httpx")

tails = []


async def tail(client, url, number):
    response = await client.send(client.build_request("GET", url), stream=True)
    pieces = response.aiter_bytes()
    first = await pieces.__anext__()
    if FIXED or number % 3 == 0:
        await response.aclose()
    else:
        tails.append(pieces)
    return first


async def start():
    limits = httpx.Limits(max_connections=None)
    start.client = httpx.AsyncClient(limits=limits, timeout=None, trust_env=False, verify=False)
    start.url = "http://%s:%d/stream" % (peers.HOST, peers.start("http"))


async def request(number):
    await tail(start.client, start.url, number)


def truth():
    return row_of_type("transport", "StreamProtocol", open_transports("StreamProtocol"))


serve(request, truth, rate=4, start=start)
