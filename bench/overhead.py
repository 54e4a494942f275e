#!/usr/bin/env python3
"""What watching costs the target on full-speed churn, and what the alternatives cost: one markdown table.

    overhead.py [--interpreter NAME]... [--rounds N] [--seconds S]

Every round runs every configuration once, in changing order, each in a fresh process; ratios are taken inside a
round. "floor" = two BPF programs with one map update each at the same two addresses (bench-floor). Needs root.
"""

import argparse

import measure

PLAIN = "none"
FLOOR = "floor: two map updates"


def configurations(python, probe_places):
    """name -> (watcher, interpreter options, environment)"""
    rows = {
        PLAIN: (measure.nothing, (), {}),
        FLOOR: (measure.floor(probe_places["probe"]), (), {}),
        "asyncleak-top --stack-depth 0": (measure.asyncleak("--stack-depth", "0"), (), {}),
        "asyncleak-top": (measure.asyncleak(), (), {}),
        "tracemalloc, 1 frame": (measure.nothing, ("-X", "tracemalloc=1"), {}),
        "PYTHONASYNCIODEBUG=1": (measure.nothing, (), {"PYTHONASYNCIODEBUG": "1"}),
    }
    if probe_places["probe"] != probe_places["entry"]:
        rows["naive: two map updates at function entry"] = (measure.floor(probe_places["entry"]), (), {})
    return rows


def one_run(python, folder, seconds, watcher, options, environment):
    """CPU microseconds per task."""
    workload = measure.Workload(python, folder, "churn.py", str(seconds), options=options, environment=environment)
    try:
        with watcher(workload.pid):
            result = workload.result()
        return result["cpu_s"] / result["tasks"] * 1e6
    finally:
        workload.close()


def find_places(python, folder):
    workload = measure.Workload(python, folder, "churn.py", "1")
    try:
        return measure.places(python, workload.pid)
    finally:
        workload.close()


def measure_interpreter(python, rounds, seconds):
    """name -> costs, one per round"""
    with python.place(measure.BENCH) as folder:
        rows = configurations(python, find_places(python, folder))
        return measure.interleaved(rows, rounds, lambda row: one_run(python, folder, seconds, *row))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interpreter", action="append", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="CPU time of one run")
    options = parser.parse_args()
    for name in options.interpreter or ("debian-3.11", "debian-3.13", "debian-3.14"):
        costs = measure_interpreter(measure.interpreter(name), options.rounds, options.seconds)
        rows = []
        for configuration, values in costs.items():
            to_none = [each / base for each, base in zip(values, costs[PLAIN])]
            to_floor = [each / base for each, base in zip(values, costs[FLOOR])]
            rows.append([configuration, *map(measure.spread, (values, to_none, to_floor))])
        print("\n%s, %d rounds of %.1f s, median [min-max]\n" % (name, options.rounds, options.seconds))
        print(measure.table([name, "us/task", "x none", "x floor"], rows), flush=True)


if __name__ == "__main__":
    main()
