"""A cursor is read until the first match and left there, and a list keeps it. Twin: it is closed."""

from service import FIXED, row, serve

open_cursors = []


class Table:
    async def cursor(self, number):
        for line in range(number, number + 1000):
            yield line


table = Table()


async def request(number):
    lines = table.cursor(number)
    open_cursors.append(lines)
    try:
        async for line in lines:
            if line % 5 == 0:
                break
    finally:
        if FIXED:
            await lines.aclose()
            open_cursors.remove(lines)


serve(request, lambda: row("asyncgen", Table.cursor, len(open_cursors)))
