"""A pool of at most ten connections to a database, reused; one is replaced when it has become old."""

import asyncio
import collections

import peers
from service import row_of_type, serve


class Pool:
    def __init__(self, port, size):
        self.port = port
        self.free = collections.deque()
        self.slots = asyncio.Semaphore(size)
        self.opened = self.closed = 0

    async def ask(self, path):
        async with self.slots:
            if self.free:
                reader, writer, uses = self.free.popleft()
            else:
                reader, writer = await asyncio.open_connection(peers.HOST, self.port)
                self.opened, uses = self.opened + 1, 0
            writer.write(b"GET %s HTTP/1.1\r\n\r\n" % path)
            await reader.readuntil(b"hello")
            if uses < 100:
                return self.free.append((reader, writer, uses + 1))
            writer.close()
            await writer.wait_closed()
            self.closed += 1


async def start():
    start.pool = Pool(peers.start("http"), 10)


async def request(number):
    asyncio.ensure_future(start.pool.ask(b"/%d" % number))


def truth():
    return row_of_type("transport", "StreamReaderProtocol", start.pool.opened - start.pool.closed)


serve(request, truth, rate=30, start=start)
