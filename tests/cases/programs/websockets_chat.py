"""websockets: a server with pings, thirty clients of which one leaves and another comes every few seconds."""

import asyncio
import collections

import peers
from service import not_applicable, row, serve

try:
    import websockets
    from websockets.legacy.server import WebSocketServerProtocol
except ImportError:
    not_applicable("needs the package python3-websockets")

clients = collections.deque()


async def echo(websocket, path=None):
    async for message in websocket:
        await websocket.send(message)


async def join():
    clients.append(await websockets.connect("ws://%s:%d" % (peers.HOST, start.port), ping_interval=5))


async def start():
    start.server = await websockets.serve(echo, peers.HOST, 0, ping_interval=3, ping_timeout=10)
    start.port = start.server.sockets[0].getsockname()[1]
    for _ in range(30):
        await join()


async def request(number):
    if number % 20 == 19:
        await clients.popleft().close()
        await join()
    client = clients[number % len(clients)]
    await client.send("hello")
    await asyncio.wait_for(client.recv(), 5)


serve(request, lambda: row("task", WebSocketServerProtocol.handler, len(start.server.websockets)), rate=5, start=start)
