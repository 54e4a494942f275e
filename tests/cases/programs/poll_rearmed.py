"""Every reload of the settings starts another poll that arms itself again for ever. Twin: stops the one before."""

import asyncio

from service import FIXED, row, serve


class Settings:
    def __init__(self):
        self.values = {}
        self.timer = None

    def reload(self):
        if FIXED and self.timer:
            self.timer.cancel()
        self.poll()

    def poll(self):
        self.values["polls"] = self.values.get("polls", 0) + 1
        self.timer = asyncio.get_running_loop().call_later(2, self.poll)


settings = Settings()


async def request(number):
    settings.reload()


def truth():
    timers = asyncio.get_running_loop()._scheduled
    live = sum(getattr(each._callback, "__func__", None) is Settings.poll and not each.cancelled() for each in timers)
    return row("timer", Settings.poll, live)


serve(request, truth, rate=0.4)
