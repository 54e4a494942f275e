"""After a deploy all clients come back within 10 s, and stay: a line now and then keeps each alive."""

import asyncio

import peers
from service import elapsed, row, serve, tasks_of

STORM_S = 10
clients = []


class Server:
    async def client_connected(self, reader, writer):
        try:
            while True:
                line = await reader.readline()
                if not line:
                    return
                writer.write(b"ack " + line)
        finally:
            writer.close()


async def start():
    start.server = await asyncio.start_server(Server().client_connected, peers.HOST, 0)
    start.port = start.server.sockets[0].getsockname()[1]


async def request(number):
    if elapsed() < STORM_S:
        clients.append(await asyncio.open_connection(peers.HOST, start.port))
        return
    reader, writer = clients[number % len(clients)]
    writer.write(b"still here\n")
    await reader.readline()


serve(request, lambda: row("task", Server.client_connected, tasks_of(Server.client_connected)), rate=12, start=start)
