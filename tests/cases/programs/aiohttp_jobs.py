"""aiohttp server: each request starts a poll of a job that is never found. Twin: the poll gives up."""

import asyncio

import peers
import servers
from service import FIXED, not_applicable, row, serve, tasks_of

try:
    from aiohttp import web
except ImportError:
    not_applicable("needs the package python3-aiohttp")

routes = web.RouteTableDef()


async def poll_job(app, number):
    polls = 0
    while number not in app["finished"]:
        await asyncio.sleep(0.5)
        polls += 1
        if FIXED and polls > 2:
            return None
    return app["finished"][number]


@routes.get("/jobs/{number}")
async def submit(request):
    task = asyncio.create_task(poll_job(request.app, request.match_info["number"]))
    request.app["polls"].add(task)
    task.add_done_callback(request.app["polls"].discard)
    return web.json_response({"accepted": True})


async def start():
    app = web.Application()
    app["finished"], app["polls"] = {}, set()
    app.add_routes(routes)
    start.port = await servers.aiohttp_port(app)


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, peers.get, start.port, "/jobs/%d" % number)


serve(request, lambda: row("task", poll_job, tasks_of(poll_job)), rate=10, start=start)
