#!/usr/bin/env python3
"""What the tool itself needs: against outstanding tasks, against processes, at the start. Markdown tables.

    scale.py [--tasks N,...] [--processes N] [--frames N]

Needs root. CPU is user + system time of our process, memory the kernel's own figure for our maps and our RSS.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import time

import measure
from processes import SCENARIOS, Deadline, Target, Tool, watches


def rss_bytes(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def maps():
    listing = subprocess.run(["bpftool", "-j", "map", "show"], capture_output=True, check=True).stdout
    return {each["id"]: each.get("bytes_memlock", 0) for each in json.loads(listing or "[]")}


class KernelMemory:
    """Bytes in the maps made since this object was made."""

    def __init__(self):
        self._others = set(maps())

    def bytes(self):
        return sum(size for number, size in maps().items() if number not in self._others)


def per_refresh(tool, frames):
    """CPU seconds of each of the next refreshes."""
    deadline = Deadline(60 + 2 * frames)
    costs, last = [], None
    for _ in range(frames + 1):
        tool.frame(deadline)
        now = measure.cpu_s(tool.process.pid)
        if last is not None:
            costs.append(now - last)
        last = now
    return costs


def outstanding(counts, frames):
    rows = []
    python = measure.interpreter("machine")
    for count in counts:
        kernel = KernelMemory()
        with Target(python, SCENARIOS + "/million.py", str(count)) as target:
            pid = target.ready(Deadline(20))["ready"]
            with Tool("--json", "-d", "0.5", "-p", str(pid), before=measure.on_tool_cpu) as tool:
                tool.frame_where(watches(pid), "attached", Deadline(10))
                empty = kernel.bytes()
                target.go()
                target.truth(Deadline(120))
                frame = tool.frame_where(
                    lambda each: sum(site["outstanding"] for site in each["sites"]) >= count,
                    "%d tasks outstanding" % count,
                    Deadline(20),
                )
                costs = [cost * 1e3 for cost in per_refresh(tool, frames)]
                used = kernel.bytes()
        rows.append(
            [
                "{:,}".format(count),
                measure.spread(costs),
                "%.0f" % ((used - empty) / count),
                "%.1f" % (used / 1e6),
                frame["probes"]["dropped_total"],
            ]
        )
    return measure.table(["tasks", "CPU ms per refresh", "kernel B per task", "kernel MB in all", "dropped"], rows)


@contextlib.contextmanager
def parked(python, count):
    """COUNT processes with a few tasks each."""
    with contextlib.ExitStack() as stack:
        pids = []
        for _ in range(count):
            target = stack.enter_context(Target(python, SCENARIOS + "/exit.py"))
            pids.append(target.ready(Deadline(30))["ready"])
            target.go()
            target.truth(Deadline(30))
        yield pids


def many_processes(count, frames):
    python = measure.interpreter("machine")
    kernel = KernelMemory()
    with parked(python, count) as pids:
        with Tool("--json", "-d", "1", before=measure.on_tool_cpu) as tool:
            tool.frame_where(lambda each: all(watches(pid)(each) for pid in pids), "all attached", Deadline(30))
            costs = [cost * 1e2 for cost in per_refresh(tool, frames)]  # one refresh a second: per cent of a core
            row = [count, measure.spread(costs), "%.1f" % (rss_bytes(tool.process.pid) / 1e6)]
            row.append("%.1f" % (kernel.bytes() / 1e6))
    return measure.table(["processes", "% of a core at -d 1", "RSS MB", "kernel MB"], [row])


def start_time(rounds, pids, *options):
    """Seconds from the command to the first frame, and to the first that shows all of PIDS attached."""
    first, complete = [], []
    for _ in range(rounds):
        start = time.monotonic()
        with Tool("--json", "-d", "0.1", *options, before=measure.on_tool_cpu) as tool:
            frame = tool.frame(Deadline(20))
            first.append(time.monotonic() - start)
            while not all(watches(pid)(frame) for pid in pids):
                frame = tool.frame(Deadline(20))
            complete.append(time.monotonic() - start)
    return first, complete


def first_frame(rounds):
    rows = []
    everything = measure.interpreters.all_interpreters()
    with contextlib.ExitStack() as stack:
        pids = []
        for python in everything:
            folder = stack.enter_context(python.place(SCENARIOS))
            target = stack.enter_context(Target(python, folder + "/exit.py"))
            pids.append(target.ready(Deadline(30))["ready"])
        for what, which, options in (
            ("one PID (%s)" % everything[0].name, pids[:1], ("-p", str(pids[0]))),
            ("the whole machine, %d interpreters" % len(pids), pids, ()),
        ):
            first, complete = start_time(rounds, which, *options)
            rows.append([what, measure.spread(first), measure.spread(complete)])
    return measure.table(["watching", "s to the first frame", "s to all attached"], rows)


def idle_start():
    """System-wide, whatever runs here: our RSS and the kernel's memory, median of three looks."""
    kernel = KernelMemory()
    sums = []
    with Tool("--json", "-d", "0.5", before=measure.on_tool_cpu) as tool:
        for _ in range(3):
            tool.frame(Deadline(20))
            sums.append((rss_bytes(tool.process.pid) / 1e6, kernel.bytes() / 1e6))
    rss, maps_mb = (statistics.median(column) for column in zip(*sums))
    row = ["%.1f" % each for each in (rss, maps_mb, rss + maps_mb)]
    return measure.table(["RSS MB", "kernel MB", "in all"], [row])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="10000,100000,1000000", metavar="N,...")
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--frames", type=int, default=20)
    options = parser.parse_args()
    print("Idle, system-wide\n\n%s\n" % idle_start(), flush=True)
    print("Start\n\n%s\n" % first_frame(5), flush=True)
    print("Processes\n\n%s\n" % many_processes(options.processes, options.frames), flush=True)
    counts = [int(count) for count in options.tasks.split(",")]
    print("Outstanding tasks\n\n%s" % outstanding(counts, options.frames), flush=True)


if __name__ == "__main__":
    main()
