"""The other ends that programs of the corpus talk to: a process of its own that ends with the program's.

start("hold" | "http" | "websocket") -> its port on the loopback; start_redis() -> the path of its socket. And clients
for the load of a server: blocking calls, for a thread.
"""

import asyncio
import base64
import collections
import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from service import FIXED

UPGRADE = (
    "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
HOST = "127.0.0.1"

vanished = collections.deque(maxlen=30)


def start(kind):
    # It sees the end of its standard input when this program is gone.
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL  # of connections that are lost
    peer = start.kept = subprocess.Popen([sys.executable, __file__, kind], stdin=pipe, stdout=pipe, stderr=nothing)
    return int(peer.stdout.readline())


def start_redis():
    """None: it is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        return None
    folder = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(folder, "redis-%d.sock" % os.getpid())
    prctl = ctypes.CDLL(None).prctl
    options = ["--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", folder]
    start_redis.kept = subprocess.Popen(
        [program, *options, "--loglevel", "warning"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: prctl(1, signal.SIGTERM),  # PR_SET_PDEATHSIG
    )
    while socket.socket(socket.AF_UNIX).connect_ex(path) != 0:
        time.sleep(0.05)
    return path


def get(port, path="/"):
    """One request on a connection of its own, answered and closed."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def vanish(wire):
    """The other end sees nothing of it: the socket stays open, of a twin's, which end it themselves, the last ones."""
    vanished.append(wire) if FIXED else wire.detach()


def ask_and_vanish(port, path):
    """A request whose answer is begun and never read to its end."""
    wire = socket.create_connection((HOST, port))
    wire.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path).encode())
    answer = wire.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    vanish(wire)


def upgrade(port, path="/"):
    """A websocket, opened."""
    wire = socket.create_connection((HOST, port))
    wire.sendall((UPGRADE % (path, base64.b64encode(os.urandom(16)).decode())).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = wire.recv(4096)
        assert piece, "the server hung up"
        answer += piece
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return wire


async def _hold(reader, writer):
    await reader.read()
    writer.close()


async def _http(reader, writer):
    """Keeps connections alive; /stream says the first piece of an answer, and no more."""
    try:
        while True:
            request = (await reader.readuntil(b"\r\n\r\n")).split()[1]
            if request.startswith(b"/stream"):
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _echo(websocket, path=None):
    async for message in websocket:
        await websocket.send(message)


async def _serve(kind):
    if kind == "websocket":
        import websockets

        server = await websockets.serve(_echo, HOST, 0)
    else:
        server = await asyncio.start_server(_hold if kind == "hold" else _http, HOST, 0)
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 1) or gone.set())
    print(server.sockets[0].getsockname()[1], flush=True)
    await gone.wait()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
