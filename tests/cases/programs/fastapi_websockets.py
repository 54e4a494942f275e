"""fastapi: websocket endpoints that wait for the next message of clients that have vanished. Twin: not for ever."""

import asyncio

import peers
import servers
from service import FIXED, not_applicable, row, serve

try:
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect
    from uvicorn.protocols.websockets.websockets_impl import WebSocketProtocol
except ImportError:
    not_applicable("needs the packages python3-fastapi, python3-uvicorn and python3-websockets")

app = FastAPI()
rooms = set()


@app.websocket("/room")
async def room(websocket: WebSocket):
    await websocket.accept()
    rooms.add(websocket)
    try:
        while True:
            text = await asyncio.wait_for(websocket.receive_text(), 1 if FIXED else None)
            await websocket.send_text(text)
    except (asyncio.TimeoutError, WebSocketDisconnect):
        return
    finally:
        rooms.discard(websocket)


async def start():
    start.port = await servers.uvicorn_port(app, ws_ping_interval=None)


def connect():
    wire = peers.upgrade(start.port, "/room")
    wire.close() if FIXED else wire.detach()


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, connect)


serve(request, lambda: row("task", WebSocketProtocol.run_asgi, len(rooms)), rate=4, start=start)
