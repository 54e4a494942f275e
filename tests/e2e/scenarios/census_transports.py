"""Sockets, pipes and subprocesses by protocol and peer, with the bytes that wait in write buffers."""

import asyncio
import os
import socket
import sys
import tempfile

from census_book import census
from census_stand import in_select, leave, new_loop

keep = []
BUFFER = 16384  # of the kernel, so that what is left over does not change
UNTIL_EOF = "import sys; sys.stdin.read()"


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport


class Deaf(asyncio.Protocol):
    """Accepts and never reads."""

    def connection_made(self, transport):
        transport.pause_reading()
        keep.append(transport)  # a transport that does not read is nobody's: the collector would close it


class Client(asyncio.Protocol):
    pass


class Pipe(asyncio.Protocol):
    pass


class Datagrams(asyncio.DatagramProtocol):
    pass


def listening(family, address):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    listener.bind(address)
    return listener


async def connect(loop, family, address):
    wire = socket.socket(family, socket.SOCK_STREAM)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    wire.setblocking(False)
    await loop.sock_connect(wire, address)
    transport, protocol = await loop.create_connection(Client, sock=wire)
    keep.append(protocol)
    return transport


async def tcp(loop):
    listener = listening(socket.AF_INET, ("127.0.0.1", 0))
    keep.append(await loop.create_server(Echo, sock=listener))
    for _ in range(5):
        await connect(loop, socket.AF_INET, listener.getsockname())
    deaf = listening(socket.AF_INET, ("127.0.0.1", 0))
    keep.append(await loop.create_server(Deaf, sock=deaf))
    for size in (300_000, 100_001):
        transport = await connect(loop, socket.AF_INET, deaf.getsockname())
        transport.write(b"x" * size)
        transport.write(b"y" * 777)


async def streams(loop):
    listener = listening(socket.AF_INET, ("127.0.0.1", 0))

    async def session(reader, writer):
        keep.append(writer)
        await reader.read()

    keep.append(await asyncio.start_server(session, sock=listener))
    for _ in range(2):
        keep.extend(await asyncio.open_connection(*listener.getsockname()))


async def ip6(loop):
    try:
        listener = listening(socket.AF_INET6, ("::1", 0))
    except OSError:  # a kernel without it
        return
    keep.append(await loop.create_server(Echo, sock=listener))
    await connect(loop, socket.AF_INET6, listener.getsockname()[:2])


async def unix(loop, folder):
    path = os.path.join(folder, "socket")
    keep.append(await loop.create_unix_server(Deaf, sock=listening(socket.AF_UNIX, path)))
    for size in (0, 500_000):
        transport = await connect(loop, socket.AF_UNIX, path)
        transport.write(b"z" * size)


async def pipes(loop):
    read_end, write_end = os.pipe()
    keep.append(await loop.connect_read_pipe(Pipe, os.fdopen(read_end, "rb", 0)))
    kept_end, full_end = os.pipe()
    transport, protocol = await loop.connect_write_pipe(Pipe, os.fdopen(full_end, "wb", 0))
    transport.write(b"p" * 200_000)
    keep.extend((write_end, kept_end, transport))


async def datagrams(loop):
    keep.append(await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0)))


async def subprocesses():
    for _ in range(3):
        keep.append(
            await asyncio.create_subprocess_exec(
                sys.executable, "-S", "-c", UNTIL_EOF, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        )


async def build(loop, folder):
    await tcp(loop)
    await streams(loop)
    await ip6(loop)
    await unix(loop, folder)
    await pipes(loop)
    await datagrams(loop)
    await subprocesses()
    await asyncio.sleep(0.2)  # the servers accept, the kernel's buffers fill


loop = new_loop()
with tempfile.TemporaryDirectory() as folder:
    loop.run_until_complete(build(loop, folder))
in_select(loop, lambda full: census())
leave()
