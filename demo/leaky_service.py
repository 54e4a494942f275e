#!/usr/bin/env python3
"""A small chat server with one leak, to try asyncleak-top on.

    leaky_service.py [--seconds N]

The server and its clients run in this one process, over loopback. Clients join a room, say something and leave;
every request makes a few tasks that end. One does not: leave() forgets to cancel the subscriber's relay, so each
departure leaves one ChatRoom.relay task waiting on a queue that nobody fills any more: about two a second.

Ends after N seconds (default 600) or with the process that started it. Needs Python 3.8, nothing else.
"""

import argparse
import asyncio
import contextlib
import itertools
import os

DEPARTURES_PER_S = 2
REQUESTS_PER_S = 40


class Subscriber:
    def __init__(self, name, writer):
        self.name = name
        self.writer = writer
        self.inbox = asyncio.Queue()


class ChatRoom:
    def __init__(self):
        self.members = {}
        self.relays = set()

    def join(self, subscriber):
        self.members[subscriber.name] = subscriber
        self.relays.add(asyncio.create_task(self.relay(subscriber)))

    def leave(self, subscriber):
        del self.members[subscriber.name]  # the leak: the subscriber's relay is still waiting for its inbox

    def publish(self, text):
        for member in self.members.values():
            member.inbox.put_nowait(text)

    async def relay(self, subscriber):
        while True:
            text = await subscriber.inbox.get()
            subscriber.writer.write(text)
            await subscriber.writer.drain()


class ChatServer:
    def __init__(self):
        self.room = ChatRoom()
        self.log = []

    async def handle_client(self, reader, writer):
        subscriber = None
        try:
            while True:
                line = await reader.readline()
                if not line:
                    break
                command, _, rest = line.partition(b" ")
                if command == b"JOIN":
                    subscriber = Subscriber(rest.strip(), writer)
                    self.room.join(subscriber)
                else:
                    await asyncio.gather(self.audit(rest), self.handle_message(rest))
        finally:
            if subscriber:
                self.room.leave(subscriber)
            writer.close()

    async def handle_message(self, text):
        self.room.publish(text)

    async def audit(self, text):
        await asyncio.sleep(0.01)
        self.log = [*self.log[-99:], text]


async def visit(port, number):
    """A client: joins, talks for a few seconds, reads what is said, leaves."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"JOIN visitor%d\n" % number)
    messages = 2 * REQUESTS_PER_S // DEPARTURES_PER_S
    for each in range(messages):
        writer.write(b"SAY message %d\n" % each)
        await writer.drain()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(reader.readline(), 0.05)
        await asyncio.sleep(DEPARTURES_PER_S / REQUESTS_PER_S)
    writer.close()


async def visitors(port):
    crowd = set()
    for number in itertools.count():
        visitor = asyncio.create_task(visit(port, number))
        crowd.add(visitor)
        visitor.add_done_callback(crowd.discard)
        await asyncio.sleep(1 / DEPARTURES_PER_S)


async def outlive_no_parent():
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(1)


async def serve(seconds):
    chat = ChatServer()
    server = await asyncio.start_server(chat.handle_client, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    load = asyncio.create_task(visitors(port))
    print("leaky_service: pid %d, port %d" % (os.getpid(), port), flush=True)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(outlive_no_parent(), seconds)
    load.cancel()
    os._exit(0)  # as services end: without waiting for what leaked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
