"""Subprocesses are started and forgotten. Twin: their input is closed and their end waited for."""

import asyncio
import gc
import sys

from service import FIXED, row_of_type, serve

UNTIL_EOF = "import sys; sys.stdin.read()"  # no longer than this program


async def request(number):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-E", "-c", UNTIL_EOF, stdin=asyncio.subprocess.PIPE
    )
    if FIXED:
        process.stdin.close()
        await process.wait()


def truth():
    kinds = [type(each) for each in gc.get_objects()]
    count = sum(asyncio.SubprocessTransport in kind.__mro__ for kind in kinds)
    return row_of_type("transport", "SubprocessStreamProtocol", count)


serve(request, truth, rate=4)
