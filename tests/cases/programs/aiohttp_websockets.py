"""aiohttp server: websocket handlers whose clients have vanished. Twin: a heartbeat finds out."""

import asyncio

import peers
import servers
from service import FIXED, not_applicable, row, serve

try:
    from aiohttp import web
    from aiohttp.web_protocol import RequestHandler
except ImportError:
    not_applicable("needs the package python3-aiohttp")


async def live_updates(request):
    websocket = web.WebSocketResponse(heartbeat=1 if FIXED else None)
    await websocket.prepare(request)
    request.app["websockets"].add(websocket)
    try:
        async for message in websocket:
            await websocket.send_str(message.data)
    finally:
        request.app["websockets"].discard(websocket)
    return websocket


async def start():
    app = start.app = web.Application()
    app["websockets"] = set()
    app.router.add_get("/live", live_updates)
    start.port = await servers.aiohttp_port(app)


def connect():
    peers.vanish(peers.upgrade(start.port, "/live"))


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, connect)


serve(request, lambda: row("task", RequestHandler.start, len(start.app["websockets"])), rate=3, start=start)
