"""The load of a service of the fleet test: customers.py PORT FOLLOWS_A_SECOND AFTER_S

Twenty pages a second; and, when AFTER_S seconds are over, so many times a second somebody follows. Ends with its
standard input.
"""

import asyncio
import os
import sys

HOST = "127.0.0.1"
PORT, FOLLOWS, AFTER_S = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
PAGES = 20


async def get(path):
    reader, writer = await asyncio.open_connection(HOST, PORT)
    writer.write(("GET %s HTTP/1.0\r\nHost: shop\r\n\r\n" % path).encode())
    await reader.read()
    writer.close()


async def keep_asking(path, rate):
    loop = asyncio.get_running_loop()
    begun, number = loop.time(), 0
    while True:
        try:
            await get(path)
        except OSError:
            os._exit(0)  # the service has ended
        number += 1
        await asyncio.sleep(max(0, begun + number / rate - loop.time()))


async def follow_later():
    await asyncio.sleep(AFTER_S)
    await keep_asking("/follow", FOLLOWS)


async def main():
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 64) or os._exit(0))
    await asyncio.gather(keep_asking("/page", PAGES), follow_later())


asyncio.run(main())
