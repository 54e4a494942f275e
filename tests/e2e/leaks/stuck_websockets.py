"""A websocket server whose clients vanish without closing. Twin: it asks them for a sign of life."""

import asyncio
import base64
import logging
import os
import socket

from service import FIXED, not_applicable, row, serve

try:
    from websockets.legacy.server import WebSocketServerProtocol
    from websockets.legacy.server import serve as serve_websockets
except ImportError:
    not_applicable("needs the package python3-websockets")

logging.disable(logging.ERROR)  # of connections that are lost
REQUEST = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
vanished = []  # their sockets: open, but nobody reads or answers
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
    wire = socket.create_connection(server.sockets[0].getsockname())
    wire.sendall((REQUEST % base64.b64encode(os.urandom(16)).decode()).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += wire.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    vanished.append(wire)


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, connect)


def truth():
    count = len(server.websockets)
    return row("task", WebSocketServerProtocol.handler, count, "handler_task", "WebSocketServerProtocol")


serve(request, truth, rate=10, start=start)
