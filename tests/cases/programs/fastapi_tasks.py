"""fastapi: an endpoint starts a refresher for the user who asks, each time. Twin: one for a user."""

import asyncio

import peers
import servers
from service import FIXED, not_applicable, row, serve, tasks_of

try:
    from fastapi import FastAPI
except ImportError:
    not_applicable("needs the packages python3-fastapi and python3-uvicorn")

app = FastAPI()
refreshers = {}


async def refresh(user):
    while True:
        await asyncio.sleep(30)


@app.get("/profile/{user}")
async def profile(user: str):
    if not FIXED or user not in refreshers:
        refreshers[user] = asyncio.create_task(refresh(user))
    return {"user": user}


async def start():
    start.port = await servers.uvicorn_port(app)


async def request(number):
    path = "/profile/user-%d" % (number % 5)
    await asyncio.get_running_loop().run_in_executor(None, peers.get, start.port, path)


serve(request, lambda: row("task", refresh, tasks_of(refresh)), rate=10, start=start)
