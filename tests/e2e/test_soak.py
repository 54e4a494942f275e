#!/usr/bin/env python3
"""A daemon over a long time: what it takes stays as it is, whatever comes and goes.

    test_soak.py [-v]    unittest's own options; needs root, else it exits 77 (skipped)

ASYNCLEAK_SOAK_MINUTES: 15; an hour is what is promised (make soak). ASYNCLEAK_SOAK_ALONE=1: watches the whole machine,
as a daemon does, which is what to measure where nothing else runs; else its own processes only, as the other tests start
and end many, which would be weighed as ours. ASYNCLEAK_SOAK_OPTIONS: in place of those of the shipped unit.
"""

import os
import signal
import subprocess
import tempfile
import time
import unittest

from processes import TOOL, Deadline, stop
from run_e2e import run_tests
from soak import JOBS_PER_MINUTE, SERVICES, World, cpu_s, descriptors, elements, rss_bytes, slope

MINUTES = float(os.environ.get("ASYNCLEAK_SOAK_MINUTES", "15"))
ALONE = os.environ.get("ASYNCLEAK_SOAK_ALONE") == "1"
OPTIONS = os.environ.get("ASYNCLEAK_SOAK_OPTIONS", "-d 5 --census-budget 0.5").split()
WARM_UP = 0.3  # of the time: history, allocator arenas and string tables find their size
SAMPLE_S = 5
MB = 1e6

MOST_GROWTH = 1 * MB  # of resident memory, over the rest of the time, by the line of least squares
# Percent of a core. Beside other tests: they start ten times as many programs, of which each has to be looked at.
MOST_CPU = 1.0 if ALONE else 2.0
OF_ONE_JOB = 3  # links, where its own processes only are watched: one may always be there
SLACK = 100  # elements of a map: what stays of processes that have ended until that is found out


def metric(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + "{"))


def least(counts):
    """Of each kind, while none of the short-lived processes had one."""
    return {kind: min(each[kind] for each in counts) for kind in counts[0]}


class Soak(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="asyncleak-soak-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = os.path.join(self.folder, "asyncleak.prom")

    def daemon(self, prefix):
        which = () if ALONE else ("-c", prefix + "*")
        command = [TOOL, "-q", *OPTIONS, "--prom-textfile", self.file, *which]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.addCleanup(lambda: process.poll() is None and stop(process, signal.SIGKILL))
        return process

    def metrics(self):
        with open(self.file) as file:
            return file.read()

    def sees_services(self, prefix, deadline):
        """Waits until the metrics have the tasks that the services keep."""
        lines = []
        while True:
            if os.path.exists(self.file):
                text = self.metrics()
                lines = [line for line in text.splitlines() if prefix in line and "connection" in line]
                if metric("\n".join(lines), "asyncleak_tasks") == 50 * SERVICES:
                    return
            self.assertFalse(deadline.passed(), "the services' tasks are not in the metrics: %s" % lines)
            time.sleep(0.5)

    def test_what_it_takes_stays_as_it_is(self):
        prefix = "soak%d-" % (os.getpid() % 100000)  # a name has 15 characters
        with World(self.folder, prefix) as world:
            pid = (daemon := self.daemon(prefix)).pid
            self.sees_services(prefix, Deadline(60))
            begun = time.monotonic()
            warm, end = begun + WARM_UP * MINUTES * 60, begun + MINUTES * 60
            points, held, first = [], [], None
            while (now := time.monotonic()) < end:
                if now >= warm:
                    if first is None:
                        first = (now, cpu_s(pid), elements(pid), world.jobs_run)
                    points.append((now, rss_bytes(pid)))
                    held.append(descriptors(pid))
                self.assertIsNone(daemon.poll(), "the daemon has ended")
                time.sleep(SAMPLE_S)
            seconds, cpu = time.monotonic() - first[0], cpu_s(pid) - first[1]
            last_elements = elements(pid)
            self.assertEqual(world.services_alive(), SERVICES)
            self.sees_services(prefix, Deadline(30))
            jobs = world.jobs_run - first[3]
            growth = slope(points) * seconds
            percent = 100 * cpu / seconds
            early, late = least(held[: len(held) // 3]), least(held[-(len(held) // 3) :])
            print("%.0f s, %d short-lived processes: %.2f %% of a core with %s; RSS %.2f MB, %+.2f MB; descriptors %s, %s"
                  % (seconds, jobs, percent, OPTIONS, points[-1][1] / MB, growth / MB, early, late))  # fmt: skip
            print("elements", first[2], last_elements, flush=True)
            self.assertGreater(jobs, 0.9 * JOBS_PER_MINUTE * seconds / 60, "the machine was too slow for them")
            with self.subTest("resident memory"):
                self.assertLess(growth, MOST_GROWTH)
            for kind, count in late.items():
                with self.subTest("descriptors: " + kind):
                    self.assertLessEqual(count, early[kind] + OF_ONE_JOB)
            for name, count in last_elements.items():
                with self.subTest("elements of " + name):
                    self.assertLess(count, first[2].get(name, 0) + SLACK)
            with self.subTest("CPU"):
                self.assertLess(percent, MOST_CPU)
            self.assertEqual(stop(daemon), 0)


if __name__ == "__main__":
    run_tests()
