"""aiohttp: a server that asks another with one session, and short jobs after the answer."""

import asyncio

import peers
import servers
from service import not_applicable, row, serve, tasks_of

try:
    import aiohttp
    from aiohttp import web
except ImportError:
    not_applicable("needs the package python3-aiohttp")

jobs = set()


async def log_visit(path):
    await asyncio.sleep(0.3)


async def page(request):
    async with request.app["session"].get(start.upstream) as response:
        text = await response.text()
    job = asyncio.create_task(log_visit(request.path))
    jobs.add(job)
    job.add_done_callback(jobs.discard)
    return web.Response(text=text)


async def start():
    start.upstream = "http://%s:%d/" % (peers.HOST, peers.start("http"))
    app = web.Application()
    app["session"] = aiohttp.ClientSession()
    app.router.add_get("/{page}", page)
    start.port = await servers.aiohttp_port(app)


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, peers.get, start.port, "/page-%d" % number)


serve(request, lambda: row("task", log_visit, tasks_of(log_visit)), rate=10, start=start)
