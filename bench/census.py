#!/usr/bin/env python3
"""What a look at a process's memory costs us and it: a heap of a million collected objects.

    census.py [--objects N] [--rounds N] [--seconds S] [--interpreter NAME...]

Interleaved rounds: the same workload without a tool, with the default budget, and looked at without pause. CPU of the
target a turn, relative to no tool in the same round; of ourselves a look. Root.
"""

import argparse
import os
import statistics

from measure import BENCH, Deadline, Tool, Workload, interpreter, on_tool_cpu, watches

WATCHERS = {"default budget": ("--census-budget", "5"), "without pause": ("--census-budget", "100")}


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid, what):
    with open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
    raise RuntimeError("no %s" % what)


def alone(workload):
    return workload.result(), None


def watched(workload, options):
    with Tool("--json", "-d", "1", "-p", str(workload.pid), *options, before=on_tool_cpu) as tool:
        tool.frame_where(watches(workload.pid), "attached", Deadline(30))
        began = cpu_s(tool.process.pid)
        heap_mb = resident_mb(workload.pid, "VmRSS")
        result = workload.result()
        frame = tool.frame(Deadline(30))
        census = frame["processes"][0]["census"]
        seen = {
            "objects": census["objects"],
            "look_ms": census["duration_ms"],
            "percent": 100 * (cpu_s(tool.process.pid) - began) / result["seconds"],
            "own_mb": resident_mb(tool.process.pid, "VmHWM"),
            "heap_mb": heap_mb,
        }
        return result, seen


def measure(name, options):
    python = interpreter(name)
    ratios = {label: [] for label in WATCHERS}
    seen = {label: [] for label in WATCHERS}
    with python.place(BENCH) as folder:
        for _ in range(options.rounds):
            base = None
            for label, flags in (("alone", None), *WATCHERS.items()):
                workload = Workload(python, folder, "heap.py", str(options.objects), str(options.seconds))
                try:
                    result, look = alone(workload) if flags is None else watched(workload, flags)
                finally:
                    workload.close()
                cost = result["cpu_s"] / result["turns"]
                if flags is None:
                    base = cost
                else:
                    ratios[label].append(cost / base)
                    seen[label].append(look)
    return ratios, seen


def median(looks, key):
    return statistics.median(look[key] for look in looks)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--interpreter", action="append")
    options = parser.parse_args()
    print("| | collected objects | target's RSS | one look | target, default budget | target, looked at without pause "
          "| our CPU, default budget | our peak RSS |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for name in options.interpreter or ["debian-3.11", "debian-3.13", "debian-3.14"]:
        ratios, seen = measure(name, options)
        usual = seen["default budget"]
        print("| %s | %d | %.0f MB | %.0f ms | %.3fx | %.3fx | %.1f %% of a core | %.0f MB |" % (
            name, median(usual, "objects"), median(usual, "heap_mb"), median(usual, "look_ms"),
            statistics.median(ratios["default budget"]), statistics.median(ratios["without pause"]),
            median(usual, "percent"), median(usual, "own_mb")), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
