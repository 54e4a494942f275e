"""A filter program for each document, fed, read and waited for."""

import asyncio
import gc

from service import row_of_type, serve

two_at_once = asyncio.Semaphore(2)


async def convert(text):
    pipe = asyncio.subprocess.PIPE
    async with two_at_once:
        process = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
        output, _ = await process.communicate(text)
        return output


async def request(number):
    await convert(b"document %d" % number)


def truth():
    kinds = [type(each) for each in gc.get_objects()]
    count = sum(asyncio.SubprocessTransport in kind.__mro__ for kind in kinds)
    return row_of_type("transport", "SubprocessStreamProtocol", count)


serve(request, truth, rate=2)
