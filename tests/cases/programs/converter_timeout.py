"""A converter that takes too long is given up, not ended. Twin: kills it."""

import asyncio
import gc

from service import FIXED, row_of_type, serve


async def convert(number):
    pipe = asyncio.subprocess.PIPE
    converter = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)  # hangs: says nothing
    try:
        return await asyncio.wait_for(converter.stdout.readline(), 0.05)
    except asyncio.TimeoutError:
        if FIXED:
            converter.kill()
            await converter.wait()


def truth():
    kinds = [type(each) for each in gc.get_objects()]
    count = sum(asyncio.SubprocessTransport in kind.__mro__ for kind in kinds)
    return row_of_type("transport", "SubprocessStreamProtocol", count)


serve(convert, truth, rate=1)
