#!/usr/bin/env python3
"""What measuring the steps of tasks (--slow-step) costs the target: one markdown table.

    steps.py [--interpreter NAME]... [--rounds N] [--seconds S]

A task that takes steps as fast as one core can (stepping.py). Every round runs every configuration once, in changing
order, each in a fresh process; differences are taken inside a round. "floor" = empty BPF programs where ours are.
Needs root.
"""

import argparse
import contextlib

import measure
import watchers

PLAIN = "none"
SLOW_STEP = ("--slow-step", "100")


@contextlib.contextmanager
def watching_steps(pid):
    with measure.Tool("--json", "-d", "1", "-p", str(pid), *SLOW_STEP, before=measure.on_tool_cpu) as tool:
        tool.frame_where(measures_steps(pid), "steps of %d measured" % pid, measure.Deadline(20))
        yield
        last = tool.frame_where(lambda frame: frame["sites"], "a site", measure.Deadline(10))
        assert last["sites"][0]["slow_steps"] is not None, last


def measures_steps(pid):
    watched = measure.watches(pid)
    return lambda frame: watched(frame) and frame["interval_s"]  # the second one: the first attaches


def places(pid):
    """Those of the steps alone: without the two of each task."""
    every = watchers.places_of_tool(pid, measures_steps(pid), *SLOW_STEP)
    tasks = watchers.places_of_tool(pid, measures_steps(pid))
    return [place for place in every if place not in tasks]


CONFIGURATIONS = {
    PLAIN: measure.nothing,
    "none again": measure.nothing,
    "floor: empty, where ours are": watchers.floor(places),
    "asyncleak-top": measure.asyncleak(),
    "asyncleak-top --slow-step 100": watching_steps,
}


def one_run(python, folder, seconds, watcher):
    """CPU nanoseconds per step."""
    workload = measure.Workload(python, folder, "stepping.py", str(seconds))
    try:
        with watcher(workload.pid):
            result = workload.result()
        return result["cpu_s"] / result["steps"] * 1e9
    finally:
        workload.close()


def measure_interpreter(python, rounds, seconds):
    """name -> costs, one per round"""
    with python.place(measure.BENCH) as folder:
        return measure.interleaved(CONFIGURATIONS, rounds, lambda watcher: one_run(python, folder, seconds, watcher))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interpreter", action="append", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="CPU time of one run")
    options = parser.parse_args()
    for name in options.interpreter or ("debian-3.11", "debian-3.14"):
        costs = measure_interpreter(measure.interpreter(name), options.rounds, options.seconds)
        rows = []
        for configuration, values in costs.items():
            added = [each - base for each, base in zip(values, costs[PLAIN])]
            rows.append([configuration, measure.spread(values, "%.0f"), measure.spread(added, "%.0f")])
        print("\n%s, %d rounds of %.1f s, median [min-max]\n" % (name, options.rounds, options.seconds))
        print(measure.table([name, "ns/step", "added"], rows), flush=True)


if __name__ == "__main__":
    main()
