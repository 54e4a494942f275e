"""websockets client: a new connection at each turn of the token, the old one still open. Twin: closes it."""

import peers
from service import FIXED, not_applicable, row, serve, tasks_of

try:
    import websockets
    from websockets.legacy.protocol import WebSocketCommonProtocol
except ImportError:
    not_applicable("needs the package python3-websockets")


class Feed:
    def __init__(self, url):
        self.url = url
        self.connection = None

    async def renew(self, token):
        if self.connection and FIXED:
            await self.connection.close()
        self.connection = await websockets.connect(self.url)
        await self.connection.send("subscribe %d" % token)


async def start():
    start.feed = Feed("ws://%s:%d" % (peers.HOST, peers.start("websocket")))


async def request(number):
    await start.feed.renew(number)


def truth():
    transfer = WebSocketCommonProtocol.transfer_data
    return row("task", transfer, tasks_of(transfer))


serve(request, truth, rate=1.5, start=start)
