"""A web service of the fleet test, in three frameworks: shop.py aiohttp|fastapi|streams [fixed]

GET /page makes three tasks that end. GET /follow makes one that nobody ends, unless the service is fixed.
Says {"port": N}, and at the first such task {"leaks_since": Unix time}. Ends with its standard input.
"""

import asyncio
import json
import os
import sys
import time

HOST = "127.0.0.1"
KIND = sys.argv[1]
FIXED = "fixed" in sys.argv[2:]
following = set()


def say(**document):
    print(json.dumps(document), flush=True)


async def look_up(part):
    await asyncio.sleep(0.01 * part)
    return part


async def page():
    return "%r\n" % await asyncio.gather(*(look_up(part) for part in range(3)))


class Orders:
    """Each coroutine has a name of its own, to see that the alert of one service does not name another's."""

    async def follow(self):
        await asyncio.get_running_loop().create_future()


class Feed(Orders):
    async def push(self):
        await asyncio.get_running_loop().create_future()


class Relay(Orders):
    async def pump(self):
        await asyncio.get_running_loop().create_future()


FOLLOW = {"aiohttp": Orders().follow, "fastapi": Feed().push, "streams": Relay().pump}[KIND]


def follow():
    if not FIXED and not following:
        say(leaks_since=time.time())
    task = asyncio.create_task(FOLLOW())
    following.add(task)
    task.add_done_callback(following.discard)
    if FIXED:
        asyncio.get_running_loop().call_later(2, task.cancel)
    return "following\n"


async def with_aiohttp():
    from aiohttp import web

    async def get_page(request):
        return web.Response(text=await page())

    async def get_follow(request):
        return web.Response(text=follow())

    app = web.Application()
    app.add_routes([web.get("/page", get_page), web.get("/follow", get_follow)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    say(port=runner.addresses[0][1])
    await asyncio.get_running_loop().create_future()


async def with_fastapi():
    import fastapi
    import uvicorn

    app = fastapi.FastAPI()

    @app.get("/page")
    async def get_page():
        return await page()

    @app.get("/follow")
    async def get_follow():
        return follow()

    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=0, log_level="error", loop="none"))
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    say(port=server.servers[0].sockets[0].getsockname()[1])
    await serving


async def with_streams():
    async def answer(reader, writer):
        line = await reader.readline()
        text = follow() if b"/follow" in line else await page()
        writer.write(("HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def main():
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 64) or os._exit(0))
    await {"aiohttp": with_aiohttp, "fastapi": with_fastapi, "streams": with_streams}[KIND]()


asyncio.run(main())
