"""Each connection has a heartbeat, which outlives it since the gateway was updated. Twin: cancelled."""

import asyncio

import peers
from service import FIXED, elapsed, row, serve, tasks_of


class Gateway:
    async def connected(self, reader, writer):
        heart = asyncio.ensure_future(self.heartbeat(writer))
        try:
            await reader.readline()
            writer.write(b"bye\n")
        finally:
            if FIXED or elapsed() < 12:
                heart.cancel()
            writer.close()

    async def heartbeat(self, writer):
        while True:
            await asyncio.sleep(20)
            if not writer.is_closing():
                writer.write(b"beat\n")


async def start():
    start.server = await asyncio.start_server(Gateway().connected, peers.HOST, 0)
    start.port = start.server.sockets[0].getsockname()[1]


async def request(number):
    reader, writer = await asyncio.open_connection(peers.HOST, start.port)
    writer.write(b"hello\n")
    await reader.read()
    writer.close()


serve(request, lambda: row("task", Gateway.heartbeat, tasks_of(Gateway.heartbeat)), rate=5, start=start)
