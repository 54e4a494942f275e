#!/usr/bin/env python3
"""CPU that watching adds to a service which creates tasks at a fixed rate (default 10,000 a second).

    openloop.py [--interpreter NAME]... [--rate N] [--rounds N] [--seconds S]

Interleaved pairs of runs without and with asyncleak-top, each in a fresh process. Needs root.
"""

import argparse

import measure

CONFIGURATIONS = {
    "none": measure.nothing,
    "none again": measure.nothing,  # how much two equal runs differ
    "asyncleak-top --stack-depth 0": measure.asyncleak("--stack-depth", "0"),
    "asyncleak-top": measure.asyncleak(),
}


def one_run(python, folder, rate, seconds, watcher):
    """Per cent of one core; fails when the rate was not held."""
    workload = measure.Workload(python, folder, "steady.py", str(rate), str(seconds))
    try:
        with watcher(workload.pid):
            result = workload.result()
    finally:
        workload.close()
    if result["tasks"] < 0.98 * rate * seconds:
        raise SystemExit("only %d of %d tasks were made: the machine is too slow" % (result["tasks"], rate * seconds))
    return result["cpu_s"] / result["wall_s"] * 100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interpreter", action="append", metavar="NAME")
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    for name in options.interpreter or ("debian-3.11", "debian-3.13"):
        python = measure.interpreter(name)
        with python.place(measure.BENCH) as folder:
            loads = measure.interleaved(
                CONFIGURATIONS,
                options.rounds,
                lambda watcher: one_run(python, folder, options.rate, options.seconds, watcher),
            )
        rows = []
        for each, values in loads.items():
            added = [value - base for value, base in zip(values, loads["none"])]
            rows.append([each, measure.spread(values), measure.spread(added)])
        what = (name, options.rate, options.rounds, options.seconds)
        print("\n%s, %d tasks/s, %d rounds of %.1f s, median [min-max]\n" % what)
        print(measure.table([name, "% of a core", "added"], rows), flush=True)


if __name__ == "__main__":
    main()
