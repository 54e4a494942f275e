"""Every session sets a timer for its end in an hour, and logging out leaves it set. Twin: cancels it."""

import asyncio

from service import FIXED, row, serve

HOUR_S = 3600


class SessionStore:
    def __init__(self):
        self.sessions = {}

    def login(self, user):
        timer = asyncio.get_running_loop().call_later(HOUR_S, self.expire, user)
        self.sessions[user] = timer

    def logout(self, user):
        timer = self.sessions.pop(user)
        if FIXED:
            timer.cancel()

    def expire(self, user):
        self.sessions.pop(user, None)


store = SessionStore()


async def request(number):
    store.login(number)
    await asyncio.sleep(0.003)
    store.logout(number)


def truth():
    timers = asyncio.get_running_loop()._scheduled
    return row("timer", SessionStore.expire, sum(not each.cancelled() for each in timers))


serve(request, truth, rate=20)
