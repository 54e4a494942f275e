"""What a daemon lives among for an hour: services under a mild load, and short-lived programs; and how it is weighed.

Used by test_soak.py. Its programs have a name of their own, so that the daemon can be told to watch these alone.
"""

import json
import os
import re
import subprocess
import threading
import time

from targets import PYTHON

SERVICES = 20
JOBS_PER_MINUTE = 50

# Every 50 ms a request of some 20 ms; connections that stay; a timer. Ends with its standard input.
SERVICE = """
import asyncio, sys
async def connection(): await asyncio.get_running_loop().create_future()
async def query(): await asyncio.sleep(0.01)
async def request(): await asyncio.gather(query(), query())
async def serve():
    while True:
        asyncio.get_running_loop().create_task(request())
        await asyncio.sleep(0.05)
async def main():
    keep = [asyncio.create_task(connection()) for _ in range(50)] + [asyncio.create_task(serve())]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    import os; os._exit(0)
asyncio.run(main())
"""

# A cron job, a hook: some tasks, each from a function that no other run has at the same address.
JOB = """
import asyncio
async def item(): await asyncio.sleep(0.2)
async def main():
    for _ in range(3): await asyncio.gather(*[item() for _ in range(20)])
asyncio.run(main())
"""


class World:
    """The processes, from entering to leaving; PREFIX begins the name of each."""

    def __init__(self, folder, prefix):
        self.service, self.job = (os.path.join(folder, prefix + kind) for kind in ("service", "job"))
        for name in (self.service, self.job):
            os.symlink(PYTHON, name)
        self.jobs_run = 0
        self._services, self._over = [], threading.Event()
        self._jobs = threading.Thread(target=self._run_jobs)

    def __enter__(self):
        for _ in range(SERVICES):
            self._services.append(subprocess.Popen([self.service, "-c", SERVICE], stdin=subprocess.PIPE))
        self._jobs.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._jobs.join()
        for service in self._services:
            service.stdin.close()
        for service in self._services:
            service.wait()

    def services_alive(self):
        return sum(service.poll() is None for service in self._services)

    def _run_jobs(self):
        running, begun = [], time.monotonic()
        while not self._over.wait(max(0, begun + self.jobs_run * 60 / JOBS_PER_MINUTE - time.monotonic())):
            running = [job for job in running if job.poll() is None]
            running.append(subprocess.Popen([self.job, "-c", JOB]))
            self.jobs_run += 1
        for job in running:
            job.wait()


def cpu_s(pid):
    """User and system time. The name in the second field may have blanks: proc_pid_stat(5)."""
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    """{kind: how many}: what the kernel says each one is, maps, programs and links told apart; "all" of them."""
    counts = {"all": 0, "map": 0, "prog": 0, "link": 0}
    folder = "/proc/%d/fdinfo/" % pid
    for number in os.listdir(folder):
        try:
            with open(folder + number) as file:
                kinds = re.findall(r"^(map|prog|link)_id:", file.read(), re.MULTILINE)
        except FileNotFoundError:  # closed meanwhile
            continue
        counts["all"] += 1
        for kind in ("link", "prog", "map"):  # a link names its program too
            if kind in kinds:
                counts[kind] += 1
                break
    return counts


def hash_maps(pid):
    """{ID: name} of the maps of a process whose elements come and go; those that throw out the oldest are bounded."""
    found = {}
    folder = "/proc/%d/fdinfo/" % pid
    for number in os.listdir(folder):
        try:
            with open(folder + number) as file:
                text = file.read()
        except FileNotFoundError:
            continue
        identifier = re.search(r"^map_id:\t(\d+)$", text, re.MULTILINE)
        kind = re.search(r"^map_type:\t(\d+)$", text, re.MULTILINE)
        if identifier and kind and kind.group(1) == "1":  # enum bpf_map_type: BPF_MAP_TYPE_HASH
            shown = subprocess.run(["bpftool", "-j", "map", "show", "id", identifier.group(1)],
                                   capture_output=True, check=True).stdout  # fmt: skip
            found[identifier.group(1)] = json.loads(shown)["name"]
    return found


def elements(pid):
    """{map: how many elements}, of the hash maps."""
    counts = {}
    for identifier, name in hash_maps(pid).items():
        dump = subprocess.run(["bpftool", "-j", "map", "dump", "id", identifier], capture_output=True, check=True).stdout
        counts[name] = len(json.loads(dump))
    return counts


def slope(points):
    """Of the line of least squares through [(x, y)]."""
    count = len(points)
    x, y = (sum(each[i] for each in points) / count for i in (0, 1))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
