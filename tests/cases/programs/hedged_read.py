"""A read is sent to both replicas, the first answer taken; one hangs now and then. Twin: cancels the loser."""

import asyncio

from service import FIXED, row, serve, tasks_of


class Replica:
    def __init__(self, hangs_every):
        self.hangs_every = hangs_every
        self.answered = asyncio.Event()  # by a replica that is up

    async def read(self, key):
        if key % self.hangs_every == 0:
            await self.answered.wait()
        await asyncio.sleep(0.005)
        return key


primary, secondary = Replica(10**9 + 7), Replica(4)


async def hedged_read(key):
    reads = {asyncio.ensure_future(replica.read(key + 1)) for replica in (primary, secondary)}
    done, losers = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
    if FIXED:
        for loser in losers:
            loser.cancel()
    return done.pop().result()


serve(hedged_read, lambda: row("task", Replica.read, tasks_of(Replica.read)), rate=12)
