#!/usr/bin/env python3
"""What counting allocations costs the target, and what the alternatives cost: a table for each of two programs.

    memory.py [--program allocating|server]... [--interpreter NAME]... [--rounds N] [--seconds S] [--only ROW]...

allocating: tasks that do little but ask for and free blocks of over 512 bytes (allocating.py). server: uvicorn and
fastapi, GET, at half of its capacity. Every round runs every configuration once, in changing order, each in a fresh
process; differences are taken inside a round. CPU time of the target, the traps included. "floor": empty BPF programs
where a block's allocation and freeing can be seen cheapest by entry and return probes. Needs root.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

import measure
import watchers

PLAIN, FLOOR, ONE_HIT = "none", "floor: empty, where ours are", "floor: empty, without return probes"
SERVICE = os.path.join(measure.PROJECT, "tests", "e2e", "scenarios", "web_service.py")
CONNECTIONS = 32


def configurations(small_blocks):
    """name -> (watcher, interpreter options)"""
    ours = {
        "asyncleak-top -m objects": ("objects",),
        "asyncleak-top -m malloc": ("malloc",),
        "asyncleak-top -m malloc --min-size 513": ("malloc", "--min-size", "513"),
        "asyncleak-top -m malloc --memory-lines": ("malloc", "--memory-lines"),
    }
    if small_blocks:
        ours["asyncleak-top -m all"] = ("all",)
    # No valve: the price is what is asked for here.
    options = ("--overhead-limit", "10000")
    return {
        PLAIN: (measure.nothing, ()),
        "none again": (measure.nothing, ()),  # how much two equal runs differ
        "floor: empty, at entries": (watchers.floor(lambda pid: watchers.allocator_places(pid, entries=True)), ()),
        "floor: empty, well placed": (watchers.floor(watchers.allocator_places), ()),
        ONE_HIT: (watchers.floor(lambda pid: watchers.allocator_places(pid, returns=False)), ()),
        FLOOR: (watchers.floor(watchers.our_places), ()),
        "memleak (bcc)": (watchers.memleak, ()),
        "tracemalloc, 1 frame": (measure.nothing, ("-X", "tracemalloc=1")),
        "tracemalloc, 25 frames": (measure.nothing, ("-X", "tracemalloc=25")),
        **{name: (watchers.asyncleak("--memory", *flags, *options), ()) for name, flags in ours.items()},
    }


class Allocating:
    """Microseconds of CPU for a block."""

    unit, per, rate = "us/block", "a block", None

    def __init__(self, python, seconds):
        self._python, self._seconds = python, seconds

    def __enter__(self):
        self._place = self._python.place(measure.BENCH)
        self._folder = self._place.__enter__()
        return self

    def __exit__(self, *problem):
        return self._place.__exit__(*problem)

    def settle(self):
        pass

    def run(self, watcher, flags):
        """(us of CPU for a block, blocks a second of CPU)"""
        workload = measure.Workload(self._python, self._folder, "allocating.py", str(self._seconds), options=flags)
        try:
            with watcher(workload.pid):
                result = workload.result()
        finally:
            workload.close()
        return result["cpu_s"] / result["blocks"] * 1e6, result["blocks"] / result["cpu_s"]


class Server:
    """Microseconds of CPU for a request, at half of the rate that the server can hold alone."""

    unit, per = "us/request", "a request"

    def __init__(self, python, seconds):
        self._python, self._seconds = python, seconds
        self._script = tempfile.NamedTemporaryFile("w", suffix=".lua")
        self._delay(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._script.close()

    def _delay(self, milliseconds):
        self._script.seek(0)
        self._script.truncate()
        self._script.write("function delay() return %d end\n" % milliseconds)
        self._script.flush()

    def settle(self):
        """Finds the rate from the CPU that a request costs: each connection of wrk waits between two requests."""
        cost, _ = self.run(measure.nothing, ())
        self.rate = 1e6 / cost / 2
        self._delay(round(CONNECTIONS / self.rate * 1e3))

    def run(self, watcher, flags):
        """(us of CPU for a request, requests a second)"""
        command = ["taskset", "-c", measure.TARGET_CPU, self._python.executable, *flags, SERVICE, "asyncio"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **pipes) as process:
            try:
                hello = json.loads(process.stdout.readline())
                url = "http://127.0.0.1:%d/" % hello["port"]
                self._wrk(url, 1)
                with watcher(hello["ready"]):
                    before = measure.cpu_s(hello["ready"])
                    requests = self._wrk(url, self._seconds)
                    used = measure.cpu_s(hello["ready"]) - before
            finally:
                process.kill()
        return used / requests * 1e6, requests / self._seconds

    def _wrk(self, url, seconds):
        command = ["taskset", "-c", measure.TOOL_CPU, "wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % seconds]
        command += ["-s", self._script.name, url]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in report:
            sys.exit(report)
        return int(re.search(r"(\d+) requests in", report)[1])


def lines(results, rate):
    """RATE: of requests a second, for the share of a core; None where it is no server."""
    base = [cost for cost, _ in results[PLAIN]]
    for name, runs in results.items():
        costs = [cost for cost, _ in runs]
        added = [cost - plain for cost, plain in zip(costs, base)]
        ratios = [cost / plain for cost, plain in zip(costs, base)]
        line = [name, measure.spread(costs), measure.spread(added), measure.spread(ratios)]
        if rate:  # the one that was asked for: a slow tool leaves less
            line.append(measure.spread([each * rate / 1e4 for each in added], "%.1f"))
            line.append(measure.spread([each for _, each in runs], "%.0f"))
        yield line


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", action="append", choices=("allocating", "server"))
    parser.add_argument("--interpreter", action="append", metavar="NAME", help="of allocating; server: the machine's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", action="append", metavar="ROW", help="this row, beside that of no tool")
    return parser.parse_args()


def chosen(options, small_blocks):
    rows = configurations(small_blocks)
    if options.only:
        unknown = set(options.only) - set(rows)
        if unknown:
            sys.exit("no row %s; there are: %s" % (", ".join(unknown), "; ".join(rows)))
        rows = {name: row for name, row in rows.items() if name == PLAIN or name in options.only}
    return rows


def report(program, name, options):
    rows = chosen(options, small_blocks=name.startswith(("pyenv", "other")))
    with program:
        program.settle()
        results = measure.interleaved(rows, options.rounds, lambda row: program.run(*row))
    what = (name, options.rounds, options.seconds)
    print("\n%s, %d rounds of %d s, median [min-max]%s\n" % (
        *what, "; %.0f requests/s asked for" % program.rate if program.rate else ""))  # fmt: skip
    head = [program.unit, "added for " + program.per, "x none"]
    head += ["added, % of a core", "requests/s"] if program.rate else []
    print(measure.table([type(program).__name__.lower(), *head], lines(results, program.rate)), flush=True)


def main():
    options = arguments()
    programs = options.program or ("allocating", "server")
    if "allocating" in programs:
        for name in options.interpreter or ("debian-3.11", "debian-3.14", "pyenv-3.12.1"):
            report(Allocating(measure.interpreter(name), options.seconds), name, options)
    if "server" in programs:
        report(Server(measure.interpreter("machine"), options.seconds), "machine", options)


if __name__ == "__main__":
    main()
