#!/usr/bin/env python3
"""The gate from outside: what fails a build and what passes, the exit summary in every format, ends of every kind.

    test_gate.py [-v] [TEST...]     unittest's own options; needs root, else it exits 77 (skipped)
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

from processes import TOOL, Deadline, Tool
from run_e2e import run_tests
from targets import PYTHON, python

# A task a tenth of a second that nobody ends; leaves through asyncio.run(), which cancels them, when its input ends.
LEAK = """import asyncio, sys
kept = []
async def waiter():
    await asyncio.Event().wait()
async def main():
    reading = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not reading.done():
        kept.append(asyncio.create_task(waiter()))
        await asyncio.sleep(0.1)
asyncio.run(main())
sys.exit(%d)
"""
CREATED_AT = 1 + LEAK.splitlines().index("        kept.append(asyncio.create_task(waiter()))")

# The same work, but each task is awaited.
SOUND = LEAK.replace("kept.append(asyncio.create_task(waiter()))", "await asyncio.create_task(asyncio.sleep(0))")

# A burst that grows for as long as it is watched, and ends before the program does.
DRAINED = """import asyncio, sys
async def waiter(done):
    await done.wait()
async def main():
    reading = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    done, tasks = asyncio.Event(), []
    while not reading.done():
        tasks.append(asyncio.create_task(waiter(done)))
        await asyncio.sleep(0.1)
    done.set()
    await asyncio.gather(*tasks)
    tasks.clear()
    await asyncio.sleep(5)
asyncio.run(main())
"""


def leaks(frame):
    return any(each["severity"] == "leak" and each["coroutine"] == "waiter" for each in frame["findings"])


def run_tool(*arguments, **options):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=60, **options)


class Case(unittest.TestCase):
    @contextlib.contextmanager
    def program(self, code):
        """A folder with app.py in it."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "app.py"), "w", encoding="utf-8") as file:
                file.write(code)
            yield folder

    @contextlib.contextmanager
    def watched(self, folder, *options):
        """`run` over app.py of FOLDER, which ends when the pipe is closed: (tool, pipe)."""
        stop, pipe = os.pipe()
        stopper = os.fdopen(pipe, "wb")
        command = (PYTHON, "-c", "import os, sys\nos.dup2(%d, 0)\nos.execv(%r, [%r, %r])" %
                   (stop, PYTHON, PYTHON, folder + "/app.py"))  # fmt: skip
        with Tool("run", "--json", "-d", "0.5", *options, "--", *command, pass_fds=(stop,)) as tool:
            os.close(stop)
            try:
                yield tool, stopper
            finally:
                stopper.close()

    def until_leak(self, tool):
        return tool.frame_where(leaks, "a leak named", Deadline(90))

    def assert_refused(self, result, *words):
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)


class Leaking(Case):
    """One run of the leaking program for all that it can tell: it takes its time."""

    def test_leak_fails_the_run_and_is_in_every_summary(self):
        with self.program(LEAK % 0) as folder:
            files = {each: "%s/%s.out" % (folder, each) for each in ("table", "json", "junit", "github")}
            options = [text for name, path in files.items() for text in ("--summary", "%s=%s" % (name, path))]
            with self.watched(folder, *options) as (tool, stopper):
                self.until_leak(tool)
                stopper.close()
                self.assertEqual(tool.end(Deadline(20)), 1)
                self.assertEqual(tool.stderr(), "")
            told = {}
            for name, path in files.items():
                with open(path, encoding="utf-8") as file:
                    told[name] = file.read()
        self.assertIn("fail", told["table"].splitlines()[0])
        self.assertIn("waiter at app.py:%d" % CREATED_AT, told["table"])

        summary = json.loads(told["json"])
        self.assertEqual((summary["schema"], summary["failed"], summary["fail_on"]),
                         ("asyncleak-summary/1", True, "leak"))  # fmt: skip
        (leak,) = [each for each in summary["findings"] if each["coroutine"] == "waiter"]
        self.assertEqual((leak["ruling"], leak["standing"]), ("fails", True))

        root = xml.etree.ElementTree.fromstring(told["junit"].encode())
        cases = root.findall("./testsuite/testcase")
        self.assertEqual(int(root.get("tests")), len(cases))
        (failure,) = [each for each in cases if each.find("failure") is not None and "waiter" in each.get("name")]
        self.assertEqual((failure.get("line"), os.path.basename(failure.get("file"))), (str(CREATED_AT), "app.py"))
        self.assertEqual(failure.find("failure").get("message"), leak["why"])

        (error,) = [line for line in told["github"].splitlines() if "task-leak waiter::" in line]
        self.assertRegex(error, r"^::error file=[^,]*app\.py,line=%d,title=\S+ waiter::" % CREATED_AT)

    def test_allowed_leak_passes_with_its_reason(self):
        with self.program(LEAK % 7) as folder:
            with open(folder + "/allowed", "w", encoding="utf-8") as file:
                file.write("# known\napp.py:wait*  until #42 is merged\n*`kept`* so that nothing else fails\n")
            with self.watched(folder, "--allow-file", folder + "/allowed") as (tool, stopper):
                self.until_leak(tool)
                stopper.close()
                self.assertEqual(tool.end(Deadline(20)), 7)
                self.assertIn("allowed: until #42 is merged", tool.stderr())

    def test_ended_from_outside_the_leak_counts_all_the_same(self):
        with self.program(LEAK % 0) as folder:
            for number in (signal.SIGTERM, signal.SIGINT):
                with self.subTest(signal=number), self.watched(folder) as (tool, stopper):
                    self.until_leak(tool)
                    tool.process.send_signal(number)
                    stopper.close()  # its thread would wait for it
                    self.assertEqual(tool.end(Deadline(20)), 1)
                    self.assertIn("waiter", tool.stderr())

    def test_duration_ends_the_command_and_judges(self):
        with self.program(LEAK % 0) as folder, self.watched(folder, "--duration", "45") as (tool, _):
            self.until_leak(tool)
            self.assertEqual(tool.end(Deadline(60)), 1)

    def test_live_view_says_what_leaked(self):
        with python(LEAK % 0) as target:
            options = ("--json", "-d", "0.5", "--fail-on", "leak", "-p", str(target.pid))
            with Tool(*options) as tool:
                self.until_leak(tool)
                self.assertEqual(tool.stop(signal.SIGINT), 1)
                self.assertIn("waiter", tool.stderr())
                self.assertIn("fail", tool.stderr())

    def test_tasks_that_all_ended_fail_nothing(self):
        with self.program(DRAINED) as folder, self.watched(folder, "--summary", "json") as (tool, stopper):
            self.until_leak(tool)
            stopper.close()
            self.assertEqual(tool.end(Deadline(30)), 0)
            rulings = {each["coroutine"]: each["ruling"] for each in json.loads(tool.stderr())["findings"]}
            self.assertEqual(rulings["waiter"], "gone")


class Sound(Case):
    def test_status_of_the_command(self):
        with self.program(SOUND % 5) as folder, self.watched(folder, "--summary", "junit=%s/junit.xml" % folder) as (
            tool,
            stopper,
        ):
            for _ in range(4):
                tool.frame(Deadline(20))
            stopper.close()
            self.assertEqual(tool.end(Deadline(20)), 5)
            root = xml.etree.ElementTree.parse(folder + "/junit.xml").getroot()
            self.assertEqual((root.get("tests"), root.get("failures")), ("1", "0"))

    def test_duration(self):
        with self.program(SOUND % 5) as folder, self.watched(folder, "--duration", "2") as (tool, _):
            self.assertEqual(tool.end(Deadline(20)), 0)  # ended by a signal, as was asked for
            self.assertEqual(tool.stderr().count("\n"), 0)
            self.assertIn("nothing leaked", tool.stderr())

    def test_duration_of_a_command_that_does_not_want_to_end(self):
        command = ("sh", "-c", "trap '' TERM; while :; do sleep 0.2; done")
        begin = time.monotonic()
        result = run_tool("run", "--json", "--duration", "1", "--summary", "none", "--", *command)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertGreater(time.monotonic() - begin, 10)

    def test_live_duration(self):
        with python(SOUND % 0) as target:
            options = ("--json", "-d", "0.5", "--duration", "1.7", "-p", str(target.pid))
            result = run_tool(*options)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn(len(result.stdout.splitlines()), (4, 5))  # the last one as time is over
            result = run_tool("--json", "-n", "1", "--fail-on", "leak", "-p", str(target.pid))
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stderr, r"^asyncleak-top: nothing leaked in .*\n$")

    def test_summary_that_cannot_be_written(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run_tool("run", "--json", "--summary", "json=" + folder, "--", "true")
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertIn(folder, result.stderr)
            self.assertEqual(os.listdir(folder), [])


# Requests under a load that stays the same; each starts a listener, of which the bad build loses one in ten.
SERVICE = """import asyncio, itertools, sys
count, never = itertools.count(1), asyncio.Event()
async def listener():
    %s
async def request():
    asyncio.create_task(listener())
    await asyncio.sleep(0.2)
async def worker():
    await asyncio.Event().wait()
async def main():
    keep = [asyncio.create_task(worker()) for _ in range(8)]
    reading = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not reading.done():
        keep.append(asyncio.create_task(request()))
        keep = keep[-20:]
        await asyncio.sleep(%s)
asyncio.run(main())
"""
GOOD = SERVICE % ("await asyncio.sleep(0.1)", "0.05")
BAD = "# A line more.\n" + SERVICE % (
    "await (never.wait() if next(count) % 10 == 0 else asyncio.sleep(0.1))", "0.02")  # fmt: skip


class Diff(Case):
    """What one of two builds, elsewhere, with other lines and more to do, changed."""

    def record(self, folder, name, frames):
        recording = "%s/%s.alrec" % (folder, name)
        with self.watched(folder, "--fail-on", "never", "--summary", "none", "--record", recording) as (tool, stopper):
            for _ in range(frames):
                tool.frame(Deadline(20))
            stopper.close()
            self.assertEqual(tool.end(Deadline(20)), 0, tool.stderr())
        return recording

    def test_good_and_bad_build(self):
        with self.program(GOOD) as good_folder, self.program(BAD) as bad_folder:
            good = self.record(good_folder, "good", 24)
            bad = self.record(bad_folder, "bad", 36)
            diff = json.loads(run_tool("diff", "--json", good, bad).stdout)
            text = run_tool("diff", good, bad).stdout
            alone = json.loads(run_tool("diff", "--json", "--from", "+5", bad).stdout)
            backwards = run_tool("diff", "--from", "+9", "--to", "+5", bad)
        first = diff["sites"][0]
        self.assertEqual((first["coroutine"], first["change"], first["pairing"]),
                         ("listener", "moved", "lines-and-folders"))  # fmt: skip
        self.assertGreater(first["growth_per_min"], 100)
        self.assertLess(first["outstanding"]["before"], 20)
        self.assertGreater(first["outstanding"]["after"], 20)
        for other in diff["sites"][1:]:
            self.assertLess(other["unexplained"], first["unexplained"])
        self.assertIn(diff["after"]["processes"], (1, 2))  # the wrapper may be seen, too
        self.assertGreater(diff["after"]["vms_bytes"], diff["after"]["rss_bytes"])
        rows = text.split("COROUTINE")[1].splitlines()
        self.assertIn("listener", rows[1])
        self.assertEqual((alone["sites"][0]["coroutine"], alone["sites"][0]["change"]), ("listener", "same"))
        self.assert_refused(backwards, "--from")


class BadAllowFile(Case):
    def test_missing_unreadable_or_wrong(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assert_refused(run_tool("run", "--allow-file", folder + "/none", "--", "true"), folder + "/none")
            self.assert_refused(run_tool("run", "--allow-file", folder, "--", "true"), "directory")
            with open(folder + "/allowed", "wb") as file:
                file.write(b"fine.*  reason\n\n[oops reason\n")
            for command in (("run", "--allow-file", folder + "/allowed", "--", "touch", folder + "/ran"),
                            ("--json", "-n", "1", "--allow-file", folder + "/allowed")):  # fmt: skip
                self.assert_refused(run_tool(*command), "allowed", "line 3", "[oops")
            self.assertFalse(os.path.exists(folder + "/ran"))


if __name__ == "__main__":
    run_tests()
