"""Transfers lock both accounts, each in its own order, and some pairs stand still. Twin: always the lower one first."""

import asyncio

from service import FIXED, row, serve, tasks_of


class Account:
    def __init__(self, number):
        self.number = number
        self.lock = asyncio.Lock()
        self.balance = 100


accounts = {}  # in use


async def transfer(source, target, amount):
    first, second = sorted((source, target), key=lambda each: each.number) if FIXED else (source, target)
    async with first.lock:
        await asyncio.sleep(0.001)  # asks the bank
        async with second.lock:
            source.balance -= amount
            target.balance += amount
    accounts.pop(source.number)  # read again when it is needed


async def request(number):
    mine, yours = (accounts.setdefault(each, Account(each)) for each in (2 * number, 2 * number + 1))
    asyncio.ensure_future(transfer(mine, yours, 10))
    asyncio.ensure_future(transfer(yours, mine, 20))


serve(request, lambda: row("task", transfer, tasks_of(transfer)), rate=2)
