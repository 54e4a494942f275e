"""Readers of a report page through a cursor that the session keeps; most never come to the end. Twin: closes it."""

import asyncio

from service import FIXED, row, serve


class Report:
    def __init__(self):
        self.cursors = {}

    async def pages(self, session):
        for number in range(100):
            await asyncio.sleep(0)
            yield {"session": session, "page": number, "rows": list(range(20))}

    async def first_page(self, session):
        cursor = self.cursors[session] = self.pages(session)
        return await cursor.__anext__()

    async def end(self, session):
        await self.cursors.pop(session).aclose()


report = Report()


async def request(number):
    await report.first_page(number)
    if FIXED or number % 5 == 0:
        await report.end(number)


serve(request, lambda: row("asyncgen", Report.pages, len(report.cursors)), rate=6)
