"""A check of other services keeps what it has found, with the open connection in it. Twin: closes that."""

import asyncio

import peers
from service import FIXED, open_transports, row_of_type, serve


class Check:
    async def run(self, port):
        self.reader, self.writer = await asyncio.open_connection(peers.HOST, port)
        self.writer.write(b"ping\n")
        await self.writer.drain()

    async def end(self):
        self.writer.close()
        await self.writer.wait_closed()


last_checks = []


async def start():
    start.port = peers.start("hold")


async def request(number):
    check = Check()
    await check.run(start.port)
    last_checks.append(check)
    if FIXED:
        await last_checks.pop().end()


def truth():
    return row_of_type("transport", "StreamReaderProtocol", open_transports("StreamReaderProtocol"))


serve(request, truth, rate=3, start=start)
