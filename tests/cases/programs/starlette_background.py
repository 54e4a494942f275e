"""starlette: after each answer a background task tells a webhook, which never answers. Twin: with a timeout."""

import asyncio

import peers
import servers
from service import FIXED, not_applicable, row, serve

try:
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle
except ImportError:
    not_applicable("needs the packages python3-fastapi and python3-uvicorn")

calls = 0


async def call_webhook(order):
    global calls
    reader, writer = await asyncio.open_connection(peers.HOST, start.webhook)
    calls += 1
    try:
        writer.write(b"order %d\n" % order)
        await asyncio.wait_for(reader.readline(), 0.5 if FIXED else None)
    except asyncio.TimeoutError:
        pass
    finally:
        calls -= 1
        writer.close()


async def place_order(request):
    return PlainTextResponse("placed", background=BackgroundTask(call_webhook, int(request.path_params["order"])))


app = Starlette(routes=[Route("/orders/{order}", place_order)])


async def start():
    start.webhook = peers.start("hold")
    start.port = await servers.uvicorn_port(app, http="h11")


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, peers.get, start.port, "/orders/%d" % number)


serve(request, lambda: row("task", RequestResponseCycle.run_asgi, calls), rate=3, start=start)
