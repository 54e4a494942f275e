"""Every message of a session puts off its idle timer: cancelled timers lie in the heap until it is swept."""

import asyncio

from service import row, serve


class Session:
    def __init__(self):
        self.timer = None

    def message(self):
        if self.timer:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(300, self.idle)

    def idle(self):
        self.timer = None


sessions = [Session() for _ in range(40)]


async def request(number):
    sessions[number * 7 % len(sessions)].message()


def truth():
    timers = asyncio.get_running_loop()._scheduled
    return row("timer", Session.idle, sum(not timer.cancelled() for timer in timers))


serve(request, truth, rate=30)
