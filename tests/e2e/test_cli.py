#!/usr/bin/env python3
"""The command line from outside: exit statuses, one clear line on stderr, no partial files, and no harm to anybody.

    test_cli.py [-v] [TEST...]      unittest's own options; needs root, else it exits 77 (skipped)
"""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

from interpreters import Interpreter
from processes import SCENARIOS, TOOL, Deadline, Target, Tool, process_row, watches
from run_e2e import run_tests
from targets import CHURN, HOLDER, ask, bpf_objects, bpf_objects_of, python, started

HOST = Interpreter("machine", sys.version_info[:2], "/usr/bin/python3")
# prctl(PR_SET_NAME): what it likes.
HOSTILE_NAME = """
import ctypes
ctypes.CDLL(None).prctl(15, b"a\\xff\\x1b[2J\\nok", 0, 0, 0)
"""
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

def run_tool(*arguments):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=30)


class Case(unittest.TestCase):
    def assert_refused(self, result, status, *words):
        """The contract's exit status and one line which says what and what to do."""
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertEqual(result.stdout, "")


class BadUsage(Case):
    def test_unknown_option(self):
        self.assert_refused(run_tool("--frobnicate"), 2, "--frobnicate")

    def test_delay_out_of_range(self):
        for delay in ("-1", "0", "0.05", "3601", "soon"):
            with self.subTest(delay=delay):
                self.assert_refused(run_tool("-b", "-n", "1", "--delay=" + delay), 2, "delay")

    def test_other_values_out_of_range(self):
        for option in ("--stack-depth=33", "--stack-depth=-1", "--iterations=-1", "--limit=x", "--sort=beauty"):
            with self.subTest(option=option):
                self.assert_refused(run_tool("-b", "-n", "1", option), 2, option.split("=")[0])

    def test_pid_is_not_a_number(self):
        self.assert_refused(run_tool("--json", "-n", "1", "-p", "python"), 2, "python")

    def test_prom_in_missing_directory(self):
        result = run_tool("--json", "-n", "1", "--prom-textfile", "/nonexistent/directory/a.prom")
        self.assert_refused(result, 2, "/nonexistent/directory")

    def test_prom_with_another_suffix(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run_tool("--json", "-n", "1", "--prom-textfile", folder + "/metrics.txt")
            self.assert_refused(result, 2, ".prom")
            self.assertEqual(os.listdir(folder), [])

    def test_run_without_a_command(self):
        self.assertEqual(run_tool("run").returncode, 2)

    def test_help_and_version(self):
        for option in ("--help", "--version"):
            result = run_tool(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("asyncleak-top", result.stdout)


class NothingToObserve(Case):
    def test_no_such_process(self):
        with open("/proc/sys/kernel/pid_max") as limit:
            pid = int(limit.read())  # ids are below it
        self.assert_refused(run_tool("--json", "-n", "1", "-p", str(pid)), 3, str(pid))

    def test_not_python(self):
        with started("sleep", "600") as process:
            self.assert_refused(run_tool("--json", "-n", "1", "-p", str(process.pid)), 3, str(process.pid))

    def test_python_without_asyncio(self):
        with python("print('up', flush=True); input()") as process:
            process.stdout.readline()
            self.assert_refused(run_tool("--json", "-n", "1", "-p", str(process.pid)), 3, "asyncio")

    def test_unprivileged(self):
        with python(HOLDER % (1, 0)) as process:
            process.stdout.readline()
            with tempfile.TemporaryDirectory() as folder:  # the build folder need not be readable for nobody
                os.chmod(folder, 0o755)
                copy = os.path.join(folder, "asyncleak-top")
                subprocess.run(["cp", TOOL, copy], check=True)
                result = subprocess.run(
                    [*NOBODY, copy, "--json", "-n", "1", "-p", str(process.pid)],
                    capture_output=True, text=True, timeout=30,
                )  # fmt: skip
            self.assert_refused(result, 3)

    def test_doctor_of_sound_process(self):
        with python(HOLDER % (1, 0)) as process:
            process.stdout.readline()
            result = run_tool("doctor", str(process.pid))
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_doctor_of_hostile_name(self):
        with python(HOSTILE_NAME + HOLDER % (1, 0)) as process:
            process.stdout.readline()
            result = subprocess.run([TOOL, "doctor", str(process.pid)], capture_output=True, timeout=30)
            self.assertEqual(result.returncode, 0, result)
            self.assertIn("PID %d (a\ufffd?[2J?ok): " % process.pid, result.stdout.decode())


class Files(Case):
    def test_prom_is_whole_and_gone_after_clean_exit(self):
        with tempfile.TemporaryDirectory() as folder, python(HOLDER % (5, 0)) as process:
            process.stdout.readline()
            path = os.path.join(folder, "asyncleak.prom")
            with Tool("--json", "-d", "0.5", "-p", str(process.pid), "--prom-textfile", path) as tool:
                tool.frame(Deadline(10))
                tool.frame(Deadline(10))
                with open(path) as file:
                    text = file.read()
                self.assertIn("asyncleak_build_info", text)
                self.assertTrue(text.endswith("\n"))
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)
                self.assertEqual(tool.stop(), 0)
            self.assertIn(os.listdir(folder), ([], ["asyncleak.prom"]))
            if os.path.exists(path):
                self.assertEqual(os.path.getsize(path), 0)

    def test_prom_on_full_disk(self):
        with tempfile.TemporaryDirectory() as folder, python(HOLDER % (5, 0)) as process:
            process.stdout.readline()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder], check=True)
            try:
                with open(folder + "/filler", "wb") as filler:
                    filler.write(bytes(4096))
                options = ("--json", "-d", "0.2", "-n", "2", "-p", str(process.pid))
                result = run_tool(*options, "--prom-textfile", folder + "/a.prom")
                self.assertNotEqual(result.returncode, 0)
                self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
                self.assertIn("a.prom", result.stderr)
                self.assertEqual(os.listdir(folder), ["filler"])
            finally:
                subprocess.run(["umount", folder], check=True)


class Run(Case):
    def test_status_of_the_command(self):
        self.assertEqual(run_tool("run", "--json", "-d", "0.2", "--", "sh", "-c", "exit 7").returncode, 7)

    def test_command_killed_by_a_signal(self):
        status = run_tool("run", "--json", "-d", "0.2", "--", "sh", "-c", "kill -9 $$").returncode
        self.assertIn(status, (128 + signal.SIGKILL, -signal.SIGKILL))

    def test_no_such_command(self):
        result = run_tool("run", "--json", "--", "/nonexistent/command")
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
        self.assertIn("/nonexistent/command", result.stderr)

    def test_signal_is_passed_on(self):
        trap = "trap 'exit 42' TERM; echo up >&%d; while :; do sleep 0.1; done"
        source, sink = os.pipe()
        os.dup2(sink, 9)  # dash knows descriptors of one digit
        with Tool("run", "--json", "-d", "0.2", "--", "sh", "-c", trap % 9, pass_fds=(9,)) as tool:
            os.close(9)
            os.close(sink)
            self.assertEqual(os.read(source, 3), b"up\n")
            self.assertEqual(tool.stop(signal.SIGTERM), 42)
        os.close(source)

    def held(self, *options):
        """`run` over a program which holds 50 tasks and then ends with status 5; run's own status."""
        out, report = os.pipe()
        stop, stopper = os.pipe()
        code = "import os\nos.dup2(%d, 1)\nos.dup2(%d, 0)\n" % (report, stop) + HOLDER % (50, 5)
        arguments = ("run", "--json", "-d", "0.2", *options, "--", "/usr/bin/python3", "-c", code)
        with Tool(*arguments, pass_fds=(report, stop)) as tool:
            os.close(report)
            os.close(stop)
            os.read(out, 100)
            tool.frame_where(
                lambda each: any(site["outstanding"] == 50 for site in each["sites"]), "50 tasks", Deadline(10)
            )
            if options[0] == "--warn-tasks":  # pending is what the census sees, whose first look may have come before them
                kinds = lambda frame: [finding["kind"] for finding in frame["findings"]]
                tool.frame_where(lambda each: "overload" in kinds(each), "the warning", Deadline(10))
            os.close(stopper)
            status = tool.end(Deadline(20))
        os.close(out)
        return status

    def test_fail_on_warning(self):
        self.assertEqual(self.held("--warn-tasks", "10", "--fail-on", "warning"), 1)

    def test_fail_on_never(self):
        self.assertEqual(self.held("--warn-tasks", "10", "--fail-on", "never"), 5)

    def test_warning_is_not_a_leak(self):
        self.assertEqual(self.held("--warn-tasks", "10", "--fail-on", "leak"), 5)

    def test_children_are_watched(self):
        out, report = os.pipe()
        code = "import os\nos.dup2(%d, 1)\nprint(os.getpid(), flush=True)\n" % report + HOLDER % (3, 0)
        shell = '/usr/bin/python3 -c "$1"; true'  # `; true`: the shell stays, Python is its child
        arguments = ("run", "--json", "-d", "0.2", "--fail-on", "never", "--", "sh", "-c", shell, "sh", code)
        with Tool(*arguments, pass_fds=(report,)) as tool:
            os.close(report)
            with os.fdopen(out) as lines:
                child = int(lines.readline())
            tool.frame_where(lambda each: process_row(each, child), "child %d" % child, Deadline(10))
            self.assertEqual(tool.end(Deadline(20)), 0)


class Safety(Case):
    def test_kill_9_leaves_target_and_kernel_clean(self):
        with python(CHURN) as target:
            with Tool("--json", "-d", "0.2", "-p", str(target.pid)) as tool:
                tool.frame_where(watches(target.pid), "attached", Deadline(10))
                ours = bpf_objects_of(tool.process.pid)
                self.assertTrue(ours)
                tool.process.kill()
                tool.process.wait()
            # The kernel frees programs after an RCU grace period, so wait for it, not for a time.
            deadline = Deadline(10)
            while bpf_objects() & ours and not deadline.passed():
                os.sched_yield()
            self.assertEqual(bpf_objects() & ours, set())
            self.assert_alive(target)

    def assert_alive(self, target):
        """It goes on making tasks."""
        before = int(ask(target))
        deadline = Deadline(10)
        while int(ask(target)) == before:
            self.assertFalse(deadline.passed())
        self.assertIsNone(target.poll())

    def test_target_killed(self):
        for options in ((), ("-p",)):
            with self.subTest(options=options), python(CHURN) as target:
                which = (*options, str(target.pid)) if options else ()
                with Tool("--json", "-d", "0.2", *which) as tool:
                    tool.frame_where(watches(target.pid), "attached", Deadline(10))
                    target.kill()
                    target.wait()
                    if options:  # nothing is left to watch: it may end, but with a status of the contract
                        self.assertIn(tool.stop(), (0, 3))
                    else:
                        tool.frame_where(lambda each: not process_row(each, target.pid), "target gone", Deadline(10))
                        self.assertEqual(tool.stop(), 0)

    def test_ends_on_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number), Target(HOST, SCENARIOS + "/exit.py") as target:
                pid = target.ready(Deadline(20))["ready"]
                with Tool("--json", "-d", "3600", "-p", str(pid)) as tool:
                    tool.frame(Deadline(10))
                    self.assertEqual(tool.stop(number), 0)

    def test_reader_goes_away(self):
        with python(HOLDER % (1, 0)) as target:
            target.stdout.readline()
            command = "%s --json -d 0.1 -p %d | head -n 1" % (TOOL, target.pid)
            result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
            self.assertEqual(result.stderr, "")
            self.assertIn("asyncleak/1", result.stdout)


if __name__ == "__main__":
    run_tests()
