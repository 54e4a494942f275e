"""Twenty sensors, each read every second by a timer that arms itself again."""

import asyncio

from service import row, serve


class Sensor:
    def __init__(self, number):
        self.number, self.value = number, 0
        self.timer = None

    def read(self):
        self.value += 1
        self.timer = asyncio.get_running_loop().call_later(1 + self.number / 100, self.read)


sensors = [Sensor(number) for number in range(20)]


async def start():
    for sensor in sensors:
        sensor.read()


async def request(number):
    sensors[number % len(sensors)].value = 0


def truth():
    return row("timer", Sensor.read, len(asyncio.get_running_loop()._scheduled))


serve(request, truth, rate=5, start=start)
