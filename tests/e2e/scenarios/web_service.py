"""A fastapi service on uvicorn for test_world.py: web_service.py asyncio|uvloop

Says {"ready": pid, "port": N} on standard output when it serves, and ends at the end of its standard input. Counts
the requests it has answered: GET /served. GET /leak starts a task that is kept and never ends.
"""

import asyncio
import json
import os
import socket
import sys

import fastapi
import uvicorn

app = fastapi.FastAPI()
# asyncio sets TCP_NODELAY only where the protocol is named (base_events.py, _set_nodelay).
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
listener.listen(128)
served = 0
kept = set()


async def forgotten():
    await asyncio.get_running_loop().create_future()


@app.on_event("startup")
async def say_ready():
    loop = asyncio.get_running_loop()
    loop.add_reader(0, lambda: os.read(0, 100) or os._exit(0))
    print(json.dumps({"ready": os.getpid(), "port": listener.getsockname()[1]}), flush=True)


@app.get("/")
async def answer():
    global served
    served += 1
    await asyncio.sleep(0)
    return {"answer": 42}


@app.get("/served")
async def say_served():
    return served


@app.get("/leak")
async def keep_one():
    kept.add(asyncio.get_running_loop().create_task(forgotten()))
    return len(kept)


if __name__ == "__main__":
    config = uvicorn.Config(app, loop=sys.argv[1], http="httptools", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])
