#!/usr/bin/env python3
"""The container of deploy/kubernetes/daemonset.yaml in runc: its capabilities, limits and read-only root are enough.

    test_kubernetes.py [-v]     unittest's own options; needs root, else it exits 77 (skipped). About a minute, asleep.
"""

import os
import re
import tempfile
import time
import unittest

import pod
from processes import Deadline
from run_e2e import run_tests
from targets import PYTHON, started

LEAK_S = 60
SERVICES = 20

LEAKY = """
import asyncio
keep = []
async def forgotten(): await asyncio.get_running_loop().create_future()
async def main():
    while True:
        keep.append(asyncio.create_task(forgotten()))
        await asyncio.sleep(%s)
asyncio.run(main())
"""


def status(pid, name):
    with open("/proc/%d/status" % pid) as file:
        return re.search(r"^%s:\s*(.*)$" % name, file.read(), re.MULTILINE).group(1)


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class InAPod(unittest.TestCase):
    def read(self, container):
        self.assertIsNone(container.status(), "it ended: " + container.log())
        try:
            with open(os.path.join(container.textfiles, "asyncleak.prom")) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def test_a_leak_on_the_node_is_found(self):
        numbers = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_PERFMON": 38, "CAP_BPF": 39,
                   "CAP_CHECKPOINT_RESTORE": 40}  # fmt: skip
        granted = pod.capabilities(pod.specification()["containers"][0])
        mask = sum(1 << numbers[name] for name in granted)
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="asyncleak-pod-"))
        for _ in range(SERVICES - 1):
            self.enterContext(started(PYTHON, "-c", LEAKY % 3600))
        leaky = self.enterContext(started(PYTHON, "-c", LEAKY % 1))
        container = self.enterContext(pod.Container(folder))
        leak = re.compile(r'^asyncleak_findings\{kind="task-leak",severity="leak",pid="%d",.*forgotten' % leaky.pid, re.M)
        begun, deadline = time.monotonic(), Deadline(LEAK_S)
        while not leak.search(self.read(container)):
            self.assertFalse(deadline.passed(), "not found: %s" % container.log())
            time.sleep(0.5)
        found_s, pid = time.monotonic() - begun, container.pid()
        peak, limit = container.memory_peak_bytes(), pod.specification()["containers"][0]["resources"]["limits"]
        print(
            "%d processes: found after %.0f s; memory at most %d MiB of %s, the kernel's included; %.1f s of one core"
            % (SERVICES, found_s, peak >> 20, limit["memory"], cpu_s(pid))
        )
        self.assertEqual(int(status(pid, "CapBnd"), 16), mask)
        self.assertEqual(int(status(pid, "CapEff"), 16) & ~mask, 0)
        self.assertEqual(status(pid, "NoNewPrivs"), "1")
        self.assertEqual(status(pid, "Seccomp"), "2")
        self.assertLess(peak, pod.in_bytes(limit["memory"]) * 3 // 4)
        self.assertEqual(container.stop(), 0, container.log())
        self.assertEqual(os.listdir(container.textfiles), [])


if __name__ == "__main__":
    run_tests()
