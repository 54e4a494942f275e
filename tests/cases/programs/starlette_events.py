"""starlette: an event stream whose clients stay connected and never get an event. Twin: the stream ends when idle."""

import asyncio

import peers
import servers
from service import FIXED, not_applicable, row, serve

try:
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle
except ImportError:
    not_applicable("needs the packages python3-fastapi and python3-uvicorn")

streams = 0


async def new_orders():
    global streams
    streams += 1
    orders = asyncio.Queue()
    try:
        yield "event: hello\n\n"
        while True:
            yield "data: %s\n\n" % await asyncio.wait_for(orders.get(), 1 if FIXED else None)
    except asyncio.TimeoutError:
        return
    finally:
        streams -= 1


async def events(request):
    return StreamingResponse(new_orders(), media_type="text/event-stream")


app = Starlette(routes=[Route("/events", events)])


async def start():
    start.port = await servers.uvicorn_port(app, http="h11")


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, peers.ask_and_vanish, start.port, "/events")


serve(request, lambda: row("task", RequestResponseCycle.run_asgi, streams), rate=2, start=start)
