"""Web servers of the corpus, in the program's own loop, on a free port of the loopback."""

import asyncio

import peers

kept = []


async def uvicorn_port(app, **options):
    import uvicorn

    config = uvicorn.Config(app, host=peers.HOST, port=0, log_level="error", loop="none", **options)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    kept.append(asyncio.ensure_future(server.serve()))
    while not server.started:
        await asyncio.sleep(0.05)
    return server.servers[0].sockets[0].getsockname()[1]


async def aiohttp_port(app):
    from aiohttp import web

    runner = web.AppRunner(app)
    await runner.setup()
    kept.append(runner)
    await web.TCPSite(runner, peers.HOST, 0).start()
    return runner.addresses[0][1]
