"""A websocket server whose clients vanish without closing. Twin: it asks them for a sign of life."""

import asyncio
import logging

import peers
from service import FIXED, not_applicable, row, serve

try:
    from websockets.legacy.server import WebSocketServerProtocol
    from websockets.legacy.server import serve as serve_websockets
except ImportError:
    not_applicable("needs the package python3-websockets")

logging.disable(logging.ERROR)  # of connections that are lost
server = None


async def session(websocket, path=None):
    async for message in websocket:
        await websocket.send(message)


async def start():
    global server
    alive = {"ping_interval": 0.2, "ping_timeout": 0.2, "close_timeout": 0.2}
    options = alive if FIXED else {"ping_interval": None}
    server = await serve_websockets(session, "127.0.0.1", 0, **options)


def connect():
    peers.vanish(peers.upgrade(server.sockets[0].getsockname()[1]))


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, connect)


def truth():
    count = len(server.websockets)
    return row("task", WebSocketServerProtocol.handler, count, "handler_task", "WebSocketServerProtocol")


serve(request, truth, rate=10, start=start)
