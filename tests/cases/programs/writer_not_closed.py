"""A server notes who has called and does not close their connections; they wait for the end. Twin: closes them."""

import asyncio
import socket

import peers
from service import FIXED, open_transports, row_of_type, serve


guests = {}


async def greet(reader, writer):
    name = await reader.readline()
    writer.write(b"hello " + name)
    await writer.drain()
    guests[writer.get_extra_info("peername")] = writer
    if FIXED:
        del guests[writer.get_extra_info("peername")]
        writer.close()


def call(port):
    wire = socket.create_connection((peers.HOST, port))
    wire.sendall(b"world\n")
    wire.recv(100)
    if FIXED:
        wire.close()
    else:
        wire.detach()  # waits for the end


async def start():
    start.server = await asyncio.start_server(greet, peers.HOST, 0)
    start.port = start.server.sockets[0].getsockname()[1]


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, call, start.port)


def truth():
    return row_of_type("transport", "StreamReaderProtocol", open_transports("StreamReaderProtocol"))


serve(request, truth, rate=5, start=start)
