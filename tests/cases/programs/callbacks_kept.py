"""Clients subscribe a method to a bus and never leave it. Twin: they do."""

from service import FIXED, row_of_type, serve

subscribers = []


class Client:
    def changed(self, what):
        pass


async def request(number):
    client = Client()
    subscribers.append(client.changed)
    if FIXED:
        subscribers.remove(client.changed)


serve(request, lambda: row_of_type("alloc", "list `subscribers` of module __main__", len(subscribers)))
