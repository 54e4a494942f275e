"""A ticker writes to all its clients and never waits; one of them does not read. Twin: drops who is too slow."""

import asyncio
import socket

import peers
from service import FIXED, row_of_type, serve

writers = set()
LIMIT = 1 << 18


async def subscribe(reader, writer):
    writers.add(writer)
    await reader.read()
    writers.discard(writer)


def send_to_all(quote):
    for writer in list(writers):
        writer.write(quote)
        if FIXED and writer.transport.get_write_buffer_size() > LIMIT:
            writers.discard(writer)
            writer.transport.abort()


async def start():
    start.server = await asyncio.start_server(subscribe, peers.HOST, 0)
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.connect(start.server.sockets[0].getsockname())
    start.slow_client = wire


async def request(number):
    send_to_all(b"%010d " % number * 3000)


def truth():
    buffered = sum(writer.transport.get_write_buffer_size() for writer in writers)
    return row_of_type("transport", "StreamReaderProtocol", buffered)


serve(request, truth, rate=10, start=start)
