#!/usr/bin/env python3
"""kill -9 at a hundred random moments: whoever polls the metrics file never sees a partial one, nothing of ours is left in
the kernel or in the directory, and the program that was watched is unharmed and counted exactly by the next run.

    test_kill.py [-v] [TEST...]     unittest's own options; needs root, else it exits 77 (skipped)
"""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from namespaces import children
from processes import Deadline, Tool, watches
from run_e2e import run_tests
from targets import ask, bpf_objects, bpf_objects_of, python

TIMES = 100
# Half of them at any moment, the start included; half while it writes a file every tenth of a second.
LONGEST_S, WRITING_S = 1, 0.4

# Holds three more tasks each time it is sent a line, and says how many it holds.
GROWING = """
import asyncio, sys
async def held(): await asyncio.get_running_loop().create_future()
async def main():
    keep = []
    read = asyncio.get_running_loop().run_in_executor
    while await read(None, sys.stdin.readline):
        keep += [asyncio.create_task(held()) for _ in range(3)]
        await asyncio.sleep(0)
        print(len(keep), flush=True)
asyncio.run(main())
"""

SAMPLE = re.compile(r'(asyncleak_\w+)(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)')


def parse(text):
    """The families of a metrics file in their order. ValueError: a line is none, or a family has not all it needs."""
    if not text.endswith("\n"):
        raise ValueError("cut off: %r" % text[-200:])
    families, described = [], None
    for line in text[:-1].split("\n"):
        if described and not line.startswith("# TYPE %s " % described):
            raise ValueError("no TYPE after HELP: %r" % line)
        described = None
        if line.startswith("# HELP "):
            described = line.split(" ", 3)[2]
            families.append(described)
        elif not line.startswith("# TYPE "):
            sample = SAMPLE.fullmatch(line)
            if not sample or not families or sample[1] != families[-1]:
                raise ValueError("not a sample: %r" % line)
    return families


class Reader(threading.Thread):
    """Reads a file as soon as it is another, and never stops looking."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self._path, self._over = path, threading.Event()
        self.seen, self.wrong, self.last = 0, [], set()

    def run(self):
        before = None
        while not self._over.is_set():
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(self._path)
                if (status.st_ino, status.st_mtime_ns) != before:
                    with open(self._path, "rb") as file:
                        status = os.fstat(file.fileno())
                        before = (status.st_ino, status.st_mtime_ns)
                        self.look(status, file.read())
            time.sleep(0.001)

    def look(self, status, content):
        self.seen += 1
        try:
            families = parse(content.decode())
            self.last.add(families[-1])
            if status.st_mode & 0o777 != 0o644:
                raise ValueError("mode %o" % status.st_mode)
        except ValueError as error:
            self.wrong.append(str(error))

    def end(self):
        self._over.set()
        self.join()


class Parser(unittest.TestCase):
    """What would not be noticed were the parser blind."""

    WHOLE = '# HELP asyncleak_a What.\n# TYPE asyncleak_a gauge\nasyncleak_a{pid="1",site="x\\"y"} 4\nasyncleak_a 1.5e+09\n'

    def test_whole(self):
        self.assertEqual(parse(self.WHOLE), ["asyncleak_a"])

    def test_every_cut_is_seen_but_at_a_line(self):
        for end in range(1, len(self.WHOLE)):
            if self.WHOLE[end - 1] == "\n":
                continue
            with self.subTest(end), self.assertRaises(ValueError):
                parse(self.WHOLE[:end])

    def test_nonsense(self):
        for text in ("\n", "asyncleak_a 1\n", self.WHOLE + "asyncleak_b 1\n", self.WHOLE + "asyncleak_a one\n"):
            with self.subTest(text), self.assertRaises(ValueError):
                parse(text)


def probes_left():
    """What the kernel could not take out of the programs they were in (kernel/events/uprobes.c), by its log."""
    log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
    return {line for line in log.splitlines() if re.search(r"uprobe: asyncleak-\w+:\d+ failed to unregister", line)}


class Killed(unittest.TestCase):
    def test_a_hundred_times(self):
        chance = random.Random(6)
        ours, published, stale, left = set(), 0, 0, probes_left()
        with tempfile.TemporaryDirectory() as folder, python(GROWING) as target:
            held = int(ask(target))
            path = os.path.join(folder, "asyncleak.prom")
            reader = Reader(path)
            reader.start()
            for i in range(TIMES):
                scope = ("-p", str(target.pid)) if i % 8 else ()  # the whole machine has many programs to attach to
                with Tool("-q", "-d", "0.1", "--prom-textfile", path, *scope) as tool:
                    first, second = chance.uniform(0, 0.5), chance.uniform(0, LONGEST_S if i % 4 < 2 else WRITING_S)
                    self.let_run(tool, first)
                    held = int(ask(target))
                    if i % 4 >= 2:
                        self.let_write(tool, reader)
                    self.let_run(tool, second)
                    ours |= bpf_objects_of(tool.process.pid)
                    tool.process.kill()
                    self.assertEqual(tool.process.wait(), -signal.SIGKILL, tool.stderr())
                published += os.path.exists(path)
                stale += len([name for name in os.listdir(folder) if name != "asyncleak.prom"])
            self.assert_next_run(target, path, held + 3)
            reader.end()
            self.assertEqual(reader.wrong, [])
            self.assertGreater(reader.seen, TIMES)
            self.assertEqual(reader.last, {"asyncleak_build_info"}, "some file ended early")
            self.assertGreater(published, TIMES / 2)
            self.assertEqual(os.listdir(folder), [])
            self.assert_freed(ours)
            self.assertEqual(probes_left() - left, set())
            print("%d files read; of %d kills %d left a temporary file" % (reader.seen, TIMES, stale), file=sys.stderr)

    def test_while_it_attaches(self):
        """Another process is at that then, which is not killed; what it has put in goes with it."""
        chance, left = random.Random(7), probes_left()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            # The more there are, the longer it takes.
            target, *_ = [stack.enter_context(python(GROWING)) for _ in range(20)]
            for _ in range(TIMES // 4):
                with Tool("-q", "-d", "0.1", "--prom-textfile", os.path.join(folder, "asyncleak.prom")) as tool:
                    self.wait_for_spare(tool, chance.randrange(4))
                    time.sleep(chance.uniform(0, 0.006))
                    tool.process.kill()
                    self.assertEqual(tool.process.wait(), -signal.SIGKILL, tool.stderr())
            self.assert_next_run(target, os.path.join(folder, "asyncleak.prom"), 3)
        self.assertEqual(probes_left() - left, set())

    def wait_for_spare(self, tool, skipped):
        """Until a process of the tool's is at work that is not one of the first SKIPPED."""
        seen, deadline = set(), Deadline(20)
        while len(seen) <= skipped:
            self.assertFalse(deadline.passed(), "%d spare processes; %s" % (len(seen), tool.stderr()))
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                seen.update(children(tool.process.pid))

    def let_run(self, tool, seconds):
        with contextlib.suppress(subprocess.TimeoutExpired):
            tool.process.wait(seconds)
        self.assertIsNone(tool.process.poll(), tool.stderr())

    def let_write(self, tool, reader):
        before, deadline = reader.seen, Deadline(20)
        while reader.seen == before:
            self.assertFalse(deadline.passed(), "no metrics; " + tool.stderr())
            self.let_run(tool, 0.01)

    def assert_next_run(self, target, path, expected):
        """It counts what was made before and under its eyes, and cleans up behind the last that was killed."""
        with Tool("--json", "-d", "0.2", "--prom-textfile", path, "-p", str(target.pid)) as tool:
            tool.frame_where(watches(target.pid), "attached", Deadline(20))
            self.assertEqual(int(ask(target)), expected)
            total = lambda frame: sum(each["outstanding"] for each in frame["sites"] if each["coroutine"] == "held")
            frame = tool.frame_where(lambda each: total(each) == expected, "%d tasks" % expected, Deadline(20))
            self.assertEqual(frame["probes"]["dropped_total"], 0)
            self.assertEqual(tool.stop(), 0)
        self.assertIsNone(target.poll())

    def assert_freed(self, objects):
        """The kernel frees them after a grace period of RCU."""
        self.assertGreater(len(objects), TIMES)
        self.assertEqual({kind for kind, _ in objects}, {"prog", "map", "link"})
        deadline = Deadline(20)
        while bpf_objects() & objects and not deadline.passed():
            time.sleep(0.1)
        self.assertEqual(bpf_objects() & objects, set())


if __name__ == "__main__":
    run_tests()
