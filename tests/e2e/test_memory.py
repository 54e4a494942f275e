#!/usr/bin/env python3
"""Allocations: what each task asked of the C library and did not give back, exactly, on every interpreter.

    test_memory.py [-v] [-k PATTERN] [TEST...]    unittest's own options. -k debian_3_14, -k Truth.test_ways; needs
                                                  root, else it exits 77 (skipped)

ASYNCLEAK_GROWTH_S: how long the growing worker is watched (30; ten minutes are what is promised).
"""

import contextlib
import glob
import os
import re
import signal
import subprocess
import sys
import unittest

import interpreters
from memory_compare import differences, near, site_differences, site_of
from processes import FRAME_S, SCENARIOS, Deadline, Target, Tool, process_row
from run_e2e import no_fleet, run_tests
from targets import ask, bpf_objects, bpf_objects_of, python
from test_census import Case, equal_frame, for_each_interpreter

DELAY = "0.5"
LEAST = "16384"  # scenarios/alloc_book.py
NO_LIMIT = ("--overhead-limit", "10000")
GROWTH_S = float(os.environ.get("ASYNCLEAK_GROWTH_S", "30"))
MILLION = 1000000
SOME = ("debian-3.11", "debian-3.14")
PAGE = os.sysconf("SC_PAGE_SIZE")


def counts_allocations(pid, mode="malloc"):
    def wanted(frame):
        row = process_row(frame, pid)
        return bool(row and row["allocations"] and row["allocations"]["mode"] == mode)

    return wanted


@contextlib.contextmanager
def watching(pid, *options, delay=DELAY, mode="malloc"):
    """The tool, with its probes at the allocator of PID."""
    with Tool("--json", "-d", delay, "-m", mode, "-p", str(pid), *options) as tool:
        tool.frame_where(counts_allocations(pid, mode), "allocations of %d counted" % pid, Deadline(20))
        yield tool


def some_interpreters():
    return [each for each in interpreters.all_interpreters() if each.name in SOME]


class MemoryCase(Case):
    @contextlib.contextmanager
    def target_of(self, interpreter, program, *arguments):
        """PROGRAM of scenarios/, ready, its helper in C beside it: (target, its PID)."""
        with interpreter.place(SCENARIOS) as place:
            folder = interpreter.root + place
            source, library = (os.path.join(folder, "alloc_blocks" + suffix) for suffix in (".c", ".so"))
            # Loads in every root: glibc has not changed the versions of malloc and free since 2.2.5.
            if not os.path.exists(library):  # tests/vm has it compiled: there is no compiler in its machines
                subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
            with Target(interpreter, "%s/%s.py" % (place, program), *arguments) as target:
                hello = target.ready(Deadline(60))
                if "not_applicable" in hello:
                    self.skipTest(hello["not_applicable"])
                yield target, hello["ready"]

    def settled(self, tool, truth, seconds=10):
        """Two frames in a row say the truth."""
        return equal_frame(tool, lambda frame: differences(frame, truth), "bytes are not the truth", Deadline(seconds))

    def phases(self, interpreter, program, *arguments, count, options=("--min-size", LEAST), seconds=30):
        """At each of COUNT barriers of PROGRAM the tool's numbers are the program's own."""
        with self.target_of(interpreter, program, *arguments) as (target, pid):
            with watching(pid, *NO_LIMIT, *options) as tool:
                for _ in range(count):
                    target.go()
                    truth = target.truth(Deadline(seconds))
                    self.settled(tool, truth)
                self.assertEqual(tool.stop(), 0, tool.stderr())
            self.assertEqual(target.leave(), 0, "the target did not end well after having been watched")


@for_each_interpreter
class Truth(MemoryCase):
    def check_ways(self, interpreter):
        self.phases(interpreter, "alloc_ways", count=2)

    def check_charging(self, interpreter):
        self.phases(interpreter, "alloc_charging", "asyncio", count=2)

    def check_charging_uvloop(self, interpreter):
        self.phases(interpreter, "alloc_charging", "uvloop", count=2)

    def check_fork(self, interpreter):
        self.phases(interpreter, "alloc_fork", count=1)


class Lines(MemoryCase):
    def test_they_change_no_count(self):
        options = ("--min-size", LEAST, "--memory-lines")
        for interpreter in some_interpreters():
            with self.subTest(interpreter.name):
                self.phases(interpreter, "alloc_charging", "asyncio", count=2, options=options)


@for_each_interpreter
class SmallBlocks(MemoryCase):
    """Mode all: exact where Python's allocator is a function of its own, else refused with the reason."""

    LEAST = "440"  # scenarios/alloc_small.py

    def check_small_blocks(self, interpreter):
        with self.target_of(interpreter, "alloc_small") as (target, pid):
            if not interpreter.name.startswith("pyenv"):
                self.refused(pid)
                return
            with watching(pid, *NO_LIMIT, "--min-size", self.LEAST, mode="all") as tool:
                for _ in range(2):
                    target.go()
                    truth = target.truth(Deadline(30))
                    what = "small blocks are not the truth"
                    equal_frame(tool, lambda frame: site_differences(frame, truth), what, Deadline(10))
                self.assertEqual(tool.stop(), 0, tool.stderr())
            self.assertEqual(target.leave(), 0, "the target did not end well after having been watched")

    def refused(self, pid):
        """Debian's builds have it inlined at some 200 places: what probes see is no truth."""
        with Tool("--json", "-d", DELAY, "-m", "all", *NO_LIMIT, "-p", str(pid)) as tool:
            frame = tool.frame_where(counts_allocations(pid), "malloc in place of all", Deadline(20))
            self.assertTrue(process_row(frame, pid)["allocations"]["trouble"])
            self.assertEqual(tool.stop(), 0, tool.stderr())


class Churn(MemoryCase):
    def test_ten_million_allocations(self):
        for interpreter in some_interpreters():
            with self.subTest(interpreter.name):
                self.phases(interpreter, "alloc_churn", str(10 * MILLION), count=1, seconds=240)


class Growth(MemoryCase):
    """A worker whose dictionary grows beside one that takes in the same and keeps nothing."""

    RATE = 500
    VALUE = 2033  # sys.getsizeof(bytes(2000))

    def test_the_growing_one_is_named_with_its_line(self):
        for interpreter in some_interpreters():
            with self.subTest(interpreter.name):
                self.check(interpreter)

    def check(self, interpreter):
        with self.target_of(interpreter, "alloc_growth", str(self.RATE)) as (target, pid):
            with watching(pid, "--memory-lines", "--min-size", "513", delay="1") as tool:
                first = process_row(tool.frame(Deadline(FRAME_S)), pid)
                target.go()
                target.truth(Deadline(10))
                enough = self.RATE * GROWTH_S * self.VALUE
                highest, deadline = 0, Deadline(3 * GROWTH_S + 10)
                while True:
                    target.go()
                    before = target.truth(Deadline(10))
                    frame = tool.frame(Deadline(FRAME_S))
                    target.go()
                    after = target.truth(Deadline(10))
                    keeps, passes = (site_of(frame, pid, name) for name in ("keeps", "passes_on"))
                    highest = max(highest, passes["allocated_bytes"] if passes else 0)
                    if before["kept_bytes"] >= enough:
                        break
                    self.assertFalse(deadline.passed(), "the target kept only %r" % before)
                self.assertEqual(tool.stop(), 0, tool.stderr())
            self.compare(frame, pid, first, (before, after), keeps, passes)
            self.assertLess(highest, 100 * self.VALUE, "the worker that keeps nothing is not flat")

    def compare(self, frame, pid, first, truth, keeps, passes):
        before, after = truth
        least, most = before["kept_bytes"] * 0.95, (after["kept_bytes"] + after["own_bytes"]) * 1.05
        (line, *_) = keeps["allocated_lines"]
        row = process_row(frame, pid)
        grown = row["rss_bytes"] - first["rss_bytes"]
        charged = row["allocations"]["bytes"] - first["allocations"]["bytes"]
        said = (before["kept_bytes"], keeps["allocated_bytes"], line["bytes"], line["file"], line["line"])
        print("\n%d bytes kept, %d charged to keeps(), %d to %s:%d" % said, file=sys.stderr)
        findings = ["%(severity)s %(kind)s %(coroutine)s" % each for each in frame["findings"]]
        said = (passes["allocated_bytes"], grown, charged, ", ".join(findings))
        print("%d charged to passes_on(); RSS %+d, charged %+d; %s" % said, file=sys.stderr)
        for have in (keeps["allocated_bytes"], line["bytes"]):
            self.assertTrue(least <= have <= most, "%d, true %d to %d" % (have, least, most))
        self.assertEqual((line["function"], line["line"]), ("keeps", after["line"]))
        self.assertTrue(line["file"].endswith("alloc_growth.py"), line)
        self.assertGreaterEqual(passes["allocated_total_bytes"], before["passed"] * self.VALUE * 0.95)
        ages = keeps["allocated_ages"]
        self.assertEqual(sum(each["bytes"] for each in ages), keeps["allocated_bytes"])
        self.assertLess(abs(passes["allocated_growth_per_min"] or 0), 0.05 * keeps["allocated_growth_per_min"])
        self.assertTrue(near(keeps["allocated_growth_per_min"], 60 * self.RATE * self.VALUE, 0.1), keeps)
        named = {each["coroutine"] for each in frame["findings"] if each["kind"] == "memory-growth"}
        self.assertLessEqual({"keeps"}, named)
        self.assertFalse([each for each in named if "passes_on" in each])
        # glibc adds 8 bytes to a block and rounds up to 16; the rest of the process stays what it was.
        self.assertTrue(near(grown, charged, 0.1), "RSS grew by %d, charged %d" % (grown, charged))


class Limits(MemoryCase):
    def setUp(self):
        (self.python,) = [each for each in interpreters.all_interpreters() if each.name == "machine"]

    def many(self, count, size):
        return self.target_of(self.python, "alloc_many", str(count), str(size))

    def test_five_million_live_blocks(self):
        count, size, room = 5 * MILLION, 100, 5 * (1 << 20)
        with self.many(count, size) as (target, pid):
            with Tool("--json", "-d", DELAY, "-p", str(pid)) as tool:
                tool.frame_where(lambda frame: process_row(frame, pid), "attached", Deadline(10))
                without = map_bytes(tool.process.pid)
            with watching(pid, *NO_LIMIT, "--max-blocks", str(room), "--min-size", str(size)) as tool:
                target.go()
                target.truth(Deadline(60))

                def held(frame):
                    site = site_of(frame, pid, "holds")
                    return site and (site["allocated_total_bytes"] or 0) >= count * size

                frame = tool.frame_where(held, "all counted", Deadline(20))
                self.all_there(frame, pid, count, size)
                a_block = (map_bytes(tool.process.pid) - without) / count
                print("\n%.1f bytes of the kernel's memory for each of %d blocks" % (a_block, count), file=sys.stderr)
                self.assertLessEqual(a_block, 100)
                target.go()
                target.truth(Deadline(60))
                gone = lambda each: site_of(each, pid, "holds")["allocated_bytes"] < 65536  # noqa: E731
                tool.frame_where(gone, "next to nothing left", Deadline(20))
                self.assertEqual(tool.stop(), 0, tool.stderr())

    def all_there(self, frame, pid, count, size):
        """But for what Python itself asked for meanwhile, which is as small here as what is counted."""
        site, row = site_of(frame, pid, "holds"), process_row(frame, pid)
        self.assertTrue(0 <= site["allocated_blocks"] - count <= 200, site)
        self.assertTrue(0 <= site["allocated_bytes"] - count * size <= 65536, site)
        self.assertEqual((row["allocations"]["untracked_blocks"], row["coverage"]["bytes"]), (0, "since-attach"))

    def test_a_full_table(self):
        count, size, room = 40000, 16500, 1024  # ROOM and what the table has besides to be quick is 20 times less
        with self.many(count, size) as (target, pid):
            with watching(pid, "--max-blocks", str(room), "--min-size", LEAST) as tool:
                target.go()
                target.truth(Deadline(20))

                def seen(frame):
                    site = site_of(frame, pid, "holds")
                    return site and site["allocated_blocks"] + process_row(frame, pid)["allocations"]["untracked_blocks"]

                # Frames of while they were made may be waiting to be read.
                tool.frame_where(lambda each: seen(each) == count, "%d blocks" % count, Deadline(10))
                frame = tool.frame(Deadline(FRAME_S))
                self.assertEqual(seen(frame), count)
                site, row = site_of(frame, pid, "holds"), process_row(frame, pid)
                self.assertEqual(row["coverage"]["bytes"], "at-least")
                self.assertGreaterEqual(site["allocated_blocks"], room)
                self.assertEqual(site["allocated_bytes"], site["allocated_blocks"] * size)
                target.go()
                target.truth(Deadline(20))
                none_left = lambda each: site_of(each, pid, "holds")["allocated_bytes"] == 0  # noqa: E731
                tool.frame_where(none_left, "no block left", Deadline(10))
                self.assertEqual(tool.stop(), 0, tool.stderr())


# Tasks, each with a block of more than 512 bytes, without end. Says how many when it is sent a line.
ALLOCATING = """
import asyncio, sys, threading
made = 0
async def allocates(): return bytes(20000)
async def churn():
    global made
    while True:
        await asyncio.create_task(allocates())
        made += 1
threading.Thread(target=lambda: asyncio.run(churn()), daemon=True).start()
for line in sys.stdin:
    print(made, flush=True)
"""


class Safety(unittest.TestCase):
    def test_too_much_overhead_ends_the_mode_and_nothing_else(self):
        with python(ALLOCATING) as target, Tool(
            "--json", "-d", DELAY, "-m", "malloc", "--overhead-limit", "1", "-p", str(target.pid)
        ) as tool:
            ask(target)

            def given_up(frame):
                row = process_row(frame, target.pid)
                return bool(row) and any("overhead" in each for each in row["warnings"])

            frame = tool.frame_where(given_up, "a warning that the mode was ended", Deadline(20))
            self.assertFalse(counts_allocations(target.pid)(frame), process_row(frame, target.pid))
            self.assertEqual(probed_pages(target.pid), [])
            created = site_of(frame, target.pid, "allocates")["created_total"]
            for _ in range(2):
                frame = tool.frame(Deadline(FRAME_S))
            self.assertTrue(given_up(frame), "the warning does not stand")
            self.assertGreater(site_of(frame, target.pid, "allocates")["created_total"], created)
            self.assertEqual(frame["probes"]["dropped_total"], 0)
            self.assertEqual(tool.stop(), 0, tool.stderr())

    def test_killed_while_counting(self):
        """Its probes go with it: the C library's code is what it was, and the next session counts as the first did."""
        with python(ALLOCATING) as target:
            ask(target)
            for _ in range(3):
                with watching(target.pid, *NO_LIMIT, "--min-size", LEAST) as tool:
                    self.assertNotEqual(probed_pages(target.pid), [])
                    tool.process.send_signal(signal.SIGSTOP)
                    os.waitid(os.P_PID, tool.process.pid, os.WSTOPPED)
                    ours = bpf_objects_of(tool.process.pid)
                    tool.process.kill()
                    tool.process.wait()
                deadline = Deadline(10)
                while (bpf_objects() & ours or probed_pages(target.pid)) and not deadline.passed():
                    os.sched_yield()
                self.assertEqual((bpf_objects() & ours, probed_pages(target.pid)), (set(), []))
                before = int(ask(target))
                while int(ask(target)) == before:
                    self.assertFalse(deadline.passed(), "the target makes no more tasks")
            with watching(target.pid, *NO_LIMIT, "--min-size", LEAST) as tool:
                for _ in range(2):
                    frame = tool.frame(Deadline(FRAME_S))
                    site = site_of(frame, target.pid, "allocates")
                    self.assertLessEqual(site["allocated_blocks"], 2)
                self.assertGreater(site["allocated_total_bytes"], 0)
                self.assertEqual(tool.stop(), 0, tool.stderr())


def map_bytes(pid):
    """Kernel memory of the BPF maps that a process has descriptors of."""
    maps = {}
    for path in glob.glob("/proc/%d/fdinfo/*" % pid):
        with contextlib.suppress(FileNotFoundError), open(path) as info:
            found = dict(re.findall(r"^(map_id|memlock):\s*(\d+)$", info.read(), re.MULTILINE))
            if "map_id" in found:
                maps[found["map_id"]] = int(found["memlock"])
    return sum(maps.values())


def probed_pages(pid):
    """Pages of the C library's code in a process that are not what is in its file: there are breakpoints in them."""
    found = []
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb") as memory:
        text = re.findall(r"^(\w+)-(\w+) r-xp (\w+) \S+ \d+ +(\S+/libc[.-]\S+)$", maps.read(), re.MULTILINE)
        for begin, end, offset, path in text:
            length = int(end, 16) - int(begin, 16)
            memory.seek(int(begin, 16))
            with open(path, "rb") as file:
                file.seek(int(offset, 16))
                loaded, stored = memory.read(length), file.read(length)
            found += [at for at in range(0, len(stored), PAGE) if loaded[at:at + PAGE] != stored[at:at + PAGE]]
    return found


if __name__ == "__main__":
    run_tests(no_fleet())
