#!/usr/bin/env python3
"""No harm and no lie when things go wrong: sudden ends on either side, reused PIDs, full maps, odd places to run in.

    test_safety.py [-v] [TEST...]   unittest's own options; needs root, else it exits 77 (skipped)
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from processes import Deadline, Tool, process_row, watches
from run_e2e import run_tests
from targets import CHURN, HOLDER, PYTHON, WAITING_HOLDER, ask, bpf_objects, bpf_objects_of, python, started

VERSION = "python%d.%d" % sys.version_info[:2]

# As many coroutine functions as it is told, each with one task.
MANY_SITES = """
import asyncio, sys
async def main():
    for i in range(count):
        space = {}
        exec('async def site_%d(): pass' % i, space)
        await asyncio.create_task(space['site_%d' % i]())
    print('done', flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
print('up', flush=True)
count = int(sys.stdin.readline())
asyncio.run(main())
"""

SHORT_LIVED = """
import asyncio
async def job(): pass
async def main(): await asyncio.gather(*[job() for _ in range(10)])
asyncio.run(main())
"""


def held(frame, pid, coroutine="held"):
    """Outstanding tasks of a coroutine of a process; None where there is no such site."""
    counts = [each["outstanding"] for each in frame["sites"] if (each["pid"], each["coroutine"]) == (pid, coroutine)]
    return sum(counts) if counts else None


class ToolKilled(unittest.TestCase):
    TIMES = 30

    def test_at_any_moment(self):
        """Its start (maps, calibration, probes) takes most of the time and is hit most."""
        chance = random.Random(1)
        moments = [chance.uniform(0, 0.8) for _ in range(self.TIMES)]
        ours = set()
        with python(CHURN) as target:
            ask(target)
            for moment in moments:
                with Tool("--json", "-d", "0.1", "-p", str(target.pid)) as tool:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        tool.process.wait(moment)
                    self.assertIsNone(tool.process.poll(), tool.stderr())
                    tool.process.send_signal(signal.SIGSTOP)
                    os.waitid(os.P_PID, tool.process.pid, os.WSTOPPED)
                    ours |= bpf_objects_of(tool.process.pid)
                    tool.process.kill()
                    tool.process.wait()
                before = int(ask(target))
                deadline = Deadline(10)
                while int(ask(target)) == before:
                    self.assertFalse(deadline.passed(), "the target makes no more tasks")
            self.assertGreater(len(ours), self.TIMES)
            self.assert_freed(ours)
            self.assert_counts(target)

    def assert_freed(self, objects):
        # The kernel frees programs after an RCU grace period: wait for that, not for a time.
        deadline = Deadline(10)
        while bpf_objects() & objects and not deadline.passed():
            os.sched_yield()
        self.assertEqual(bpf_objects() & objects, set())

    def assert_counts(self, target):
        """The next session counts it as if there had been none before."""
        with Tool("--json", "-d", "0.2", "-p", str(target.pid)) as tool:
            tool.frame_where(watches(target.pid), "attached", Deadline(10))
            first = int(ask(target))
            frame = tool.frame(Deadline(10))
            frame = tool.frame(Deadline(10))
            last = int(ask(target))
            # The census may see a coroutine that is not a task yet.
            (site,) = [each for each in frame["sites"] if (each["kind"], each["coroutine"]) == ("task", "nothing")]
            # While the next one is made, the handle that wakes its creator still refers to the last (events.py).
            self.assertLessEqual(site["outstanding"], 2)
            self.assertGreater(site["created_total"], 0)
            self.assertEqual(frame["probes"]["dropped_total"], 0)
            self.assertGreater(last, first)
            self.assertEqual(tool.stop(), 0)


class TargetEnds(unittest.TestCase):
    def test_killed_execed_or_ended_while_read(self):
        """System-wide, a refresh every 0.1 s, 24 processes that go in three ways; each is seen whole before."""
        with python(WAITING_HOLDER % (1, 0)) as witness, Tool("--json", "-d", "0.1") as tool:
            self.assertEqual(witness.stdout.readline(), "up\n")
            tool.frame_where(watches(witness.pid), "attached", Deadline(10))
            self.assertEqual(ask(witness), "holding")
            tool.frame_where(lambda each: held(each, witness.pid) == 1, "the witness", Deadline(10))
            for i in range(8):
                with contextlib.ExitStack() as stack:
                    killed = stack.enter_context(python(HOLDER % (500, 0)))
                    ended = stack.enter_context(python(HOLDER % (500, 0)))
                    code = (HOLDER % (500, 0)).replace("os._exit(0)", "os.execv('/bin/sleep', ['sleep', '600'])")
                    execed = stack.enter_context(python(code))
                    all_three = (killed, ended, execed)
                    for process in all_three:
                        self.assertEqual(process.stdout.readline(), "holding\n")
                    tool.frame_where(
                        lambda each: [held(each, process.pid) for process in all_three] == [500] * 3,
                        "three with 500 tasks", Deadline(10),
                    )  # fmt: skip
                    killed.kill()
                    ended.stdin.close()
                    execed.stdin.close()
                    frame = tool.frame_where(
                        lambda each: not any(process_row(each, process.pid) for process in all_three),
                        "all three gone", Deadline(10),
                    )  # fmt: skip
                    self.assertEqual([held(frame, process.pid) for process in all_three], [None] * 3)
                    self.assertEqual(held(frame, witness.pid), 1)
            self.assertEqual(frame["probes"]["dropped_total"], 0)
            self.assertEqual(tool.stop(), 0)


@contextlib.contextmanager
def python_with_pid(pid, code):
    """A process of a given, free number; None where somebody else took it every time."""
    for _ in range(50):
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(pid - 1))
        with python(code) as process:
            if process.pid == pid:
                yield process
                return
    yield None


class PidReuse(unittest.TestCase):
    """A PID whose process ends and that another one gets before the tool has looked."""

    def check(self, options_for):
        with python(HOLDER % (7, 0)) as first:
            self.assertEqual(first.stdout.readline(), "holding\n")
            pid = first.pid
            with Tool("--json", "-d", "1", *options_for(pid)) as tool:
                tool.frame_where(watches(pid), "attached", Deadline(10))
                first.kill()
                first.wait()
                with python_with_pid(pid, (WAITING_HOLDER % (3, 0)).replace("held", "other")) as second:
                    if not second:
                        self.skipTest("PID %d was never free" % pid)
                    self.assertEqual(second.stdout.readline(), "up\n")
                    tool.frame_where(
                        lambda each: watches(pid)(each) and "other" in process_row(each, pid)["cmdline"],
                        "the second attached", Deadline(10),
                    )  # fmt: skip
                    self.assertEqual(ask(second), "holding")
                    frame = tool.frame_where(
                        lambda each: held(each, pid, "other") == 3 and held(each, pid) is None,
                        "the second's tasks and not the first's", Deadline(10),
                    )  # fmt: skip
                    self.assertEqual([each["pid"] for each in frame["processes"]].count(pid), 1)
                self.assertEqual(tool.stop(), 0)

    def test_system_wide(self):
        self.check(lambda pid: ())

    def test_asked_for_by_pid(self):
        self.check(lambda pid: ("-p", str(pid)))


class FullMaps(unittest.TestCase):
    def test_more_tasks_than_fit(self):
        with python(WAITING_HOLDER % (3000, 0)) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            with Tool("--json", "-d", "0.2", "--max-tasks", "1024", "-p", str(target.pid)) as tool:
                tool.frame_where(watches(target.pid), "attached", Deadline(10))
                self.assertEqual(ask(target), "holding")
                frame = tool.frame_where(lambda each: held(each, target.pid), "tasks", Deadline(10))
                frame = tool.frame(Deadline(10))
                (site,) = [each for each in frame["sites"] if each["coroutine"] == "held"]
                self.assertEqual(site["created_total"], 3000)
                self.assertLessEqual(site["outstanding"], 1024)
                self.assertGreater(site["outstanding"], 900)
                self.assertEqual(frame["probes"]["dropped_total"], 3001 - sum(s["outstanding"] for s in frame["sites"]))
                self.assertEqual(process_row(frame, target.pid)["coverage"]["tasks"], "at-least")
                self.assertEqual(tool.stop(), 0)

    def test_a_row_says_at_least(self):
        with python(WAITING_HOLDER % (3000, 0)) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            with Tool("-b", "-d", "0.2", "--max-tasks", "1024", "-p", str(target.pid)) as tool:
                tool.line(Deadline(10))
                self.assertEqual(ask(target), "holding")
                deadline, line, trust = Deadline(10), "", ""
                while " held " not in line:
                    self.assertFalse(deadline.passed(), trust)
                    line = tool.line(Deadline(10))
                    trust = line if line.startswith("trust:") else trust
                self.assertRegex(line, r" held +>=(9|10)\d\d ")
                self.assertIn("trust: at least, for 1 process", trust)
                self.assertIn("tasks_full", trust)
                self.assertEqual(tool.stop(), 0)

    def test_more_sites_than_fit(self):
        with python(MANY_SITES) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            with Tool("--json", "-d", "0.2", "--max-sites", "64", "-p", str(target.pid)) as tool:
                tool.frame_where(watches(target.pid), "attached", Deadline(10))
                target.stdin.write("200\n")
                target.stdin.flush()
                self.assertEqual(target.stdout.readline(), "done\n")
                frame = tool.frame_where(lambda each: len(each["sites"]) > 50, "sites", Deadline(10))
                frame = tool.frame(Deadline(10))
                created = sum(each["created_total"] for each in frame["sites"])
                self.assertLess(len(frame["sites"]), 64)
                self.assertEqual(created + frame["probes"]["dropped_total"], 201)
                self.assertEqual(process_row(frame, target.pid)["coverage"]["tasks"], "at-least")
                self.assertEqual(tool.stop(), 0)


class ShortLived(unittest.TestCase):
    COUNT = 60

    def test_all_are_seen(self):
        """Each lives for some 0.1 s, a refresh is every 0.5 s: what they did is known after they have gone."""
        with python(HOLDER % (1, 0)) as known, Tool("--json", "-d", "0.5") as tool:
            self.assertEqual(known.stdout.readline(), "holding\n")
            tool.frame_where(watches(known.pid), "attached", Deadline(10))
            pids = set()
            for _ in range(self.COUNT // 4):
                batch = [subprocess.Popen([PYTHON, "-c", SHORT_LIVED]) for _ in range(4)]
                pids |= {process.pid for process in batch}
                self.assertEqual([process.wait(20) for process in batch], [0] * 4)
            self.assertEqual(len(pids), self.COUNT)
            seen, dropped = {}, 0

            def all_seen(frame):
                nonlocal dropped
                dropped = frame["probes"]["dropped_total"]
                for site in frame["sites"]:
                    if site["coroutine"] == "job" and site["pid"] in pids:
                        seen[site["pid"]] = site["created_total"]
                return len(seen) + dropped >= self.COUNT

            tool.frame_where(all_seen, "all processes", Deadline(20))
            self.assertEqual(dropped, 0)
            self.assertEqual(seen, dict.fromkeys(pids, 10))
            self.assertEqual(tool.stop(), 0)


class OddPlaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """An installation of its own: PREFIX/bin/python3.N, PREFIX/lib/python3.N."""
        cls.prefix = tempfile.mkdtemp(prefix="asyncleak-prefix-")
        os.mkdir(cls.prefix + "/bin")
        shutil.copy2(os.path.realpath(PYTHON), "%s/bin/%s" % (cls.prefix, VERSION))
        unwanted = shutil.ignore_patterns("__pycache__", "test", "config-*", "idlelib", "ensurepip")
        shutil.copytree("/usr/lib/" + VERSION, "%s/lib/%s" % (cls.prefix, VERSION), ignore=unwanted)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.prefix)

    def check(self, pid, target, options, warned=None):
        """The 5 tasks that PID makes when it is told to are counted."""
        with Tool("--json", "-d", "0.2", *options) as tool:
            frame = tool.frame_where(watches(pid), "attached", Deadline(10))
            warnings = process_row(frame, pid)["warnings"]
            self.assertEqual(bool(warnings), warned is not None, warnings)
            if warned:
                self.assertIn(warned, " ".join(warnings))
            self.assertEqual(ask(target), "holding")
            frame = tool.frame_where(lambda each: held(each, pid) == 5, "5 tasks", Deadline(10))
            self.assertEqual(frame["probes"]["dropped_total"], 0)
            self.assertEqual(tool.stop(), 0)

    def test_deleted_interpreter(self):
        copy = tempfile.mkdtemp(prefix="asyncleak-deleted-")
        shutil.copytree(self.prefix, copy, dirs_exist_ok=True)
        code = WAITING_HOLDER.replace("sys.stdin.readline()", "sys.stdin.readline(); import concurrent.futures.thread")
        code = "import concurrent.futures.thread, asyncio.base_events\n" + code % (5, 0)
        with started("%s/bin/%s" % (copy, VERSION), "-c", code) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            shutil.rmtree(copy)
            self.check(target.pid, target, ("-p", str(target.pid)), "deleted")

    def test_upgraded_interpreter(self):
        """The package manager's way: another inode under the same name."""
        executable = "%s/bin/%s" % (self.prefix, VERSION)
        with started(executable, "-c", WAITING_HOLDER % (5, 0)) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            shutil.copy2(executable, executable + ".new")
            os.rename(executable + ".new", executable)
            self.check(target.pid, target, (), "upgraded")

    def test_other_mount_namespace(self):
        """An interpreter that only its own mount namespace can name."""
        if subprocess.run(("unshare", "-m", "true"), stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no mount namespace to be had: / is no mount point inside a chroot")
        hidden = tempfile.mkdtemp(prefix="asyncleak-hidden-")
        self.addCleanup(os.rmdir, hidden)
        script = 'mount -t tmpfs tmpfs "$1" && cp -r "$2/." "$1" && exec "$1/bin/$3" -c "$4"'
        command = ("unshare", "-m", "sh", "-c", script, "sh", hidden, self.prefix, VERSION, WAITING_HOLDER % (5, 0))
        for options in ((), ("-p",)):
            with self.subTest(options=options), started(*command) as target:
                self.assertEqual(target.stdout.readline(), "up\n")
                self.assertEqual(os.listdir(hidden), [])
                self.check(target.pid, target, options and ("-p", str(target.pid)))

    def test_chroot(self):
        """A root with nothing but the interpreter, its libraries and its modules."""
        root = tempfile.mkdtemp(prefix="asyncleak-root-")
        self.addCleanup(shutil.rmtree, root)
        shutil.copytree(self.prefix, root + "/usr")
        listing = subprocess.run(["ldd", PYTHON], capture_output=True, text=True, check=True).stdout
        for library in (word for word in listing.split() if word.startswith("/")):
            os.makedirs(root + os.path.dirname(library), exist_ok=True)
            shutil.copy2(library, root + library)
        with started("chroot", root, "/usr/bin/" + VERSION, "-c", WAITING_HOLDER % (5, 0)) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            self.check(target.pid, target, ("-p", str(target.pid)))

    def test_other_pid_namespace(self):
        """Where it calls itself 1, the tool shows it by the number it has here."""
        for options in ((), ("-p",)):
            command = ("unshare", "-p", "-f", "--kill-child", PYTHON, "-c", WAITING_HOLDER % (5, 0))
            with self.subTest(options=options), started(*command) as outer:
                self.assertEqual(outer.stdout.readline(), "up\n")
                with open("/proc/%d/task/%d/children" % (outer.pid, outer.pid)) as children:
                    (pid,) = map(int, children.read().split())
                self.check(pid, outer, options and ("-p", str(pid)))


if __name__ == "__main__":
    run_tests()
