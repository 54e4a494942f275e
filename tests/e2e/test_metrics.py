#!/usr/bin/env python3
"""The metrics file against --json of the same refresh, and both against programs that are called to do harm.

    test_metrics.py [-v] [TEST...]  unittest's own options; needs root, tmux and promtool, else it exits 77 (skipped)
"""

import collections
import contextlib
import datetime
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

from namespaces import cgroup
from processes import TOOL, Deadline, Tool, process_row, watches
from run_e2e import run_tests
from targets import CHURN, HOLDER, PYTHON, ask, python, started
from test_top import Terminal

PROMISED_BYTES = 2_000_000

# COUNT coroutine functions, each with its place in NUMBERS many tasks.
MANY = """
import asyncio, sys
async def main():
    keep = []
    for i in range(%d):
        space = {'asyncio': asyncio}
        exec('async def site_%%d(): await asyncio.get_running_loop().create_future()' %% i, space)
        keep += [asyncio.create_task(space['site_%%d' %% i]()) for _ in range(i + 1)]
    print('holding', flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    import os; os._exit(0)
asyncio.run(main())
"""

# Calls itself, and its coroutines, what a terminal, a parser or a table could stumble over.
HOSTILE = r"""
import asyncio, ctypes, sys, types
NAMES = ['a"b\\c\nd\x1b[2J' + '"\\\n' * 3500, 'x' * 10000, '\x00\x01\x7f\r\t', '\u20ac' * 5000, 'e\xe9\x85' * 4000,
         'lone\udcff\ud800', '{job="x"} 1\n# TYPE y counter\ny 7', '<b>&amp;</b>', '', '\u202egnp.exe\u200b']
async def template(): await asyncio.get_running_loop().create_future()
def called(name):
    code = template.__code__
    where = {'co_name': name, 'co_filename': '/srv/' + name[:300]}
    if sys.version_info >= (3, 11): where['co_qualname'] = name
    function = types.FunctionType(code.replace(**where), globals())
    function.__qualname__ = name
    return function
async def main():
    ctypes.CDLL(None).prctl(15, b'p"y\\t\nh\x1b[\xff{}', 0, 0, 0)
    functions = [called(name) for name in NAMES]
    keep = []
    while True:
        keep += [asyncio.create_task(function()) for function in functions for _ in range(3)]
        print('holding', flush=True)
        if not await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline): break
    import os; os._exit(0)
asyncio.run(main())
"""
HOSTILE_SITES = 10
HOSTILE_ARGUMENT = b'--name="x"\\\n\x1b[2J\xff\xc2\x85'
HOSTILE_GROUP = b'we"ird \\x2d\x1b[2J\xff{}.service'


def unescaped(text):
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), text)


def parsed(text):
    """{name: [(labels, value)]}; a line that is none fails."""
    metrics = collections.defaultdict(list)
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# "):
            continue
        match = re.fullmatch(r'(asyncleak_\w+)(?:\{((?:\w+="(?:[^"\\]|\\[\\"n])*",?)*)\})? (\S+)', line)
        if not match:
            raise AssertionError("not a series: %r" % line)
        labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")
        metrics[match[1]].append(({name: unescaped(value) for name, value in labels}, float(match[3])))
    return metrics


def total(series, **wanted):
    return sum(value for labels, value in series if wanted.items() <= labels.items())


def unix_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def promtool(text):
    """What promtool and its linter have against it."""
    judged = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True)
    return judged.returncode, (judged.stdout + judged.stderr).decode()


class Watched(Tool):
    """With a metrics file in a folder of its own."""

    def __init__(self, *options):
        self._folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self._folder.name, "asyncleak.prom")
        super().__init__("--json", "-d", "0.5", "--prom-textfile", self.path, *options)

    def __exit__(self, *details):
        super().__exit__(*details)
        self._folder.cleanup()

    def both(self, wanted, what):
        """A frame for which WANTED is true, and the text of the same refresh."""
        deadline = Deadline(30)
        while True:
            frame = self.frame_where(wanted, what, deadline)
            with open(self.path, newline="") as file:
                text = file.read()
            ((_, written),) = parsed(text)["asyncleak_last_refresh_timestamp_seconds"]
            if abs(written - unix_time(frame["time"])) < 0.0015:  # both are cut after the milliseconds
                return frame, text


class SameRefresh(unittest.TestCase):
    def check_process(self, frame, row, metrics):
        pid = str(row["pid"])
        sites = [each for each in frame["sites"] if each["pid"] == row["pid"] and each["kind"] == "task"]
        for name, field in (
            ("asyncleak_tasks", "outstanding"),
            ("asyncleak_tasks_created_total", "created_total"),
            ("asyncleak_tasks_destroyed_total", "destroyed_total"),
            ("asyncleak_tasks_destroyed_pending_total", "destroyed_pending"),
        ):
            self.assertEqual(total(metrics[name], pid=pid), sum(each[field] for each in sites), (name, row["comm"]))
        self.assertEqual(total(metrics["asyncleak_process_resident_bytes"], pid=pid), row["rss_bytes"])
        for gauge in ("ready", "timers"):
            wanted = sum(loop[gauge] or 0 for loop in row["loops"] or [])
            self.assertEqual(total(metrics["asyncleak_loop_" + gauge], pid=pid), wanted)
        (info,) = [labels for labels, _ in metrics["asyncleak_process_info"] if labels["pid"] == pid]
        renamed = {"container_runtime": "runtime"}
        for field in ("comm", "unit", "container", "container_runtime", "pod", "pod_uid", "namespace", "container_pid"):
            self.assertEqual(info[renamed.get(field, field)], str(row[field] or ""), field)
        self.assertEqual(info["python"], row["python"])
        starts = metrics["asyncleak_process_start_time_seconds"]
        self.assertAlmostEqual(total(starts, pid=pid), unix_time(row["started"]), places=2)

    def check_findings(self, frame, metrics):
        counted = collections.Counter((each["kind"], each["severity"], str(each["pid"])) for each in frame["findings"])
        written = collections.Counter()
        for labels, value in metrics["asyncleak_findings"]:
            written[labels["kind"], labels["severity"], labels["pid"]] += value
        self.assertEqual(written, counted)
        starts = metrics["asyncleak_finding_start_time_seconds"]
        self.assertEqual([labels for labels, _ in starts], [labels for labels, _ in metrics["asyncleak_findings"]])
        for _, value in starts:
            self.assertLess(abs(value - unix_time(frame["time"])), 120)

    def test_processes_of_every_size(self):
        with contextlib.ExitStack() as stack:
            targets = [stack.enter_context(python(code)) for code in (HOLDER % (3, 0), HOLDER % (140, 0), MANY % 60)]
            for target in targets:
                self.assertEqual(target.stdout.readline(), "holding\n")
            churning = stack.enter_context(python(CHURN))
            while int(ask(churning)) == 0:  # it has a thread for that, which may not run yet
                pass
            pids = [target.pid for target in [*targets, churning]]
            tool = stack.enter_context(Watched("-p", ",".join(map(str, pids))))

            def ready(frame):
                rows = [process_row(frame, pid) for pid in pids]
                seen = all(row and row["coverage"]["tasks"] == "exact" for row in rows)
                return seen and any(each["kind"] == "overload" for each in frame["findings"])

            for _ in range(3):
                frame, text = tool.both(ready, "all of them, and the overload")
                metrics = parsed(text)
                for row in frame["processes"]:
                    self.check_process(frame, row, metrics)
                self.check_findings(frame, metrics)
                outstanding = sum(each["outstanding"] for each in frame["sites"] if each["kind"] == "task")
                self.assertEqual(total(metrics["asyncleak_tasks"]), outstanding)
                self.assertEqual(total(metrics["asyncleak_processes"]), len(pids))
                self.assertEqual(total(metrics["asyncleak_processes"], coverage="exact"), len(pids))
                of_many = [each for each in metrics["asyncleak_tasks"] if each[0]["pid"] == str(targets[2].pid)]
                self.assertEqual(len({labels["coroutine"] for labels, _ in of_many}), 21)
                # The largest are named, the rest is told together.
                self.assertEqual(total(of_many, coroutine="site_59"), 60)
                self.assertEqual(promtool(text), (0, ""))
            self.assertEqual(tool.stop(), 0)

    def test_a_process_that_ends_leaves_no_series(self):
        with python(HOLDER % (5, 0)) as staying, python(HOLDER % (5, 0)) as leaving:
            for target in (staying, leaving):
                self.assertEqual(target.stdout.readline(), "holding\n")
            with Watched("-p", "%d,%d" % (staying.pid, leaving.pid)) as tool:
                _, text = tool.both(watches(leaving.pid), "the second process")
                self.assertIn('pid="%d"' % leaving.pid, text)
                leaving.kill()
                leaving.wait()
                _, text = tool.both(lambda frame: process_row(frame, leaving.pid) is None, "its end")
                self.assertNotIn('pid="%d"' % leaving.pid, text)
                self.assertIn('pid="%d"' % staying.pid, text)
                self.assertEqual(tool.stop(), 0)


class Hostile(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.target = stack.enter_context(started(PYTHON, b"-c", HOSTILE.encode(), HOSTILE_ARGUMENT))
        self.assertEqual(self.target.stdout.readline(), "holding\n")
        stack.enter_context(cgroup(b"test-%d.slice" % os.getpid(), HOSTILE_GROUP))(self.target.pid)
        # Last in, first out: the group is empty by the time it is removed.
        stack.callback(self.target.wait)
        stack.callback(self.target.kill)
        self.pid = self.target.pid

    def test_json_and_metrics(self):
        def each_has(count):
            def wanted(frame):
                tasks = collections.Counter()
                for each in frame["sites"]:
                    # Of a long name the probes keep more than the look at memory does.
                    tasks[each["coroutine"][:60]] += each["outstanding"] if each["pid"] == self.pid else 0
                return watches(self.pid)(frame) and list(tasks.values()).count(count) == HOSTILE_SITES

            return wanted

        with Watched("-p", str(self.pid)) as tool:
            # Found in memory, then seen by the probes.
            tool.both(each_has(3), "three tasks of each coroutine")
            ask(self.target)
            frame, text = tool.both(each_has(6), "six tasks of each coroutine")
            row = process_row(frame, self.pid)
            self.assertEqual(row["comm"], 'p"y\\t?h?[\ufffd{}')
            self.assertEqual(row["unit"], 'we"ird \\x2d\x1b[2J\ufffd{}.service')
            self.assertIn('--name="x"\\??[2J', row["cmdline"])
            metrics = parsed(text)
            self.assertEqual(total(metrics["asyncleak_tasks"]), 6 * HOSTILE_SITES + 1)
            named = {labels["coroutine"] for labels, _ in metrics["asyncleak_tasks"]}
            self.assertIn("x" * 125 + "...", named)
            self.assertIn('{job="x"} 1\\x0a# TYPE y counter\\x0ay 7', named)
            for labels, _ in metrics["asyncleak_tasks"]:
                self.assertLessEqual(max(len(json.dumps(value).encode()) for value in labels.values()), 400)
            self.assertEqual(metrics["asyncleak_process_info"][0][0]["unit"], 'we"ird \\x2d?[2J\ufffd{}.service')
            self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
            self.assertEqual(promtool(text), (0, ""))
            self.assertEqual(tool.stop(), 0)

    def test_plain_frames_and_pages(self):
        pid = str(self.pid)
        for command in (("-b", "-n", "3", "-d", "0.3", "-p", pid), ("inspect", pid), ("inspect", "--locals", pid)):
            with self.subTest(command):
                shown = subprocess.run([TOOL, *command], capture_output=True, timeout=60)
                self.assertEqual(shown.returncode, 0, shown.stderr)
                self.assertNotRegex(shown.stdout.decode(), "[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def test_screen(self):
        command = shlex.join([TOOL, "-p", str(self.pid), "-d", "0.5"]) + "; echo status=$?; cat"
        terminal = Terminal(120, 30, command, ("LC_ALL=C.UTF-8",))
        self.addCleanup(terminal.close)
        screen = terminal.wait_for(lambda each: str(self.pid) in each and "template" not in each, "the process")
        # The first line is where it was: nothing has moved the cursor or cleared the screen.
        terminal.wait_for(lambda each: each.startswith("asyncleak-top") and each.count(str(self.pid)) >= 5, "its rows")
        self.assertLessEqual(len(screen.rstrip("\n").split("\n")), 30)
        terminal.keys("Enter")
        terminal.wait_for(lambda each: "process %d" % self.pid in each, "the page of a site")
        terminal.keys("Escape", "q")
        terminal.wait_for_text("status=0")


class HostileReport(unittest.TestCase):
    """The report that tests/unit/view/prometheus_bounds_test.cpp makes up: 500 processes, 10,000 sites."""

    def test_promtool(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "hostile.prom")
            unit = os.path.join(os.path.dirname(TOOL), "unit_view")
            subprocess.run(
                [unit, "the hostile report into a file"], env=dict(os.environ, ASYNCLEAK_REPORT_FILE=path), check=True,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
            with open(path, newline="") as file:
                text = file.read()
            self.assertLess(len(text.encode()), PROMISED_BYTES)
            self.assertGreater(len(parsed(text)["asyncleak_tasks"]), 100)
            self.assertEqual(promtool(text), (0, ""))


if __name__ == "__main__":
    absent = [each for each in ("tmux", "promtool") if not shutil.which(each)]
    run_tests("needs " + ", ".join(absent) if absent else None)
