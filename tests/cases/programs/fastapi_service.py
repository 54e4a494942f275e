"""fastapi under load: dependencies, background tasks, and a websocket that is closed."""

import asyncio

import peers
import servers
from service import not_applicable, row, serve, tasks_of

try:
    from fastapi import BackgroundTasks, FastAPI, WebSocket
except ImportError:
    not_applicable("needs the packages python3-fastapi and python3-uvicorn")

app = FastAPI()


async def send_receipt(order):
    await asyncio.sleep(0.2)


@app.get("/orders/{order}")
async def place(order: int, background: BackgroundTasks):
    background.add_task(send_receipt, order)
    await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.02))
    return {"order": order}


@app.websocket("/progress")
async def progress(websocket: WebSocket):
    await websocket.accept()
    await websocket.receive()


async def start():
    start.port = await servers.uvicorn_port(app)


def visit(number):
    if number % 10 == 0:
        peers.upgrade(start.port, "/progress").close()
    else:
        peers.get(start.port, "/orders/%d" % number)


async def request(number):
    await asyncio.get_running_loop().run_in_executor(None, visit, number)


serve(request, lambda: row("task", send_receipt, tasks_of(send_receipt)), rate=10, start=start)
