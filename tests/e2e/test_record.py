#!/usr/bin/env python3
"""Recordings of a real program: kill -9, a full disk, labels; and what replay makes of the file.

    test_record.py [-v] [TEST...]      unittest's own options; needs root, else it exits 77 (skipped)
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile

from processes import TOOL, Deadline, Tool
from run_e2e import run_tests
from targets import HOLDER, python
from test_cli import Case, run_tool
from test_top import Terminal


class Recorded(Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="asyncleak-record-")
        self.file = os.path.join(self.folder, "a.alrec")
        self.process = self.enterContext(python(HOLDER % (5, 0)))
        self.process.stdout.readline()

    def tearDown(self):
        shutil.rmtree(self.folder)

    def record(self, *arguments, delay="0.2"):
        return Tool("--json", "-d", delay, "-p", str(self.process.pid), "--record", self.file, *arguments)

    def replayed(self, *arguments, status=0):
        result = run_tool("replay", "--json", *arguments, self.file)
        self.assertEqual(result.returncode, status, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    def frames_of(self, tool, count):
        return [tool.frame(Deadline(10)) for _ in range(count)]

    def test_replay_is_what_was_seen(self):
        with self.record("-n", "8", "--label", "begin") as tool:
            seen = self.frames_of(tool, 8)
            tool.end(Deadline(10))
        frames, errors = self.replayed()
        self.assertEqual(frames, seen)
        self.assertEqual(errors, "")
        self.assertEqual([frame["labels"] for frame in frames], [["begin"]] + [[]] * 7)
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)

    def test_killed(self):
        with self.record() as tool:
            seen = self.frames_of(tool, 6)
            tool.process.kill()
            tool.process.wait()
        frames, errors = self.replayed()
        # A frame is recorded before it is shown; one more may have been on its way.
        self.assertEqual(frames[:6], seen)
        self.assertEqual(errors, "")
        with open(self.file, "r+b") as file:
            file.truncate(os.path.getsize(self.file) - 1)
        cut, errors = self.replayed()
        self.assertEqual(cut, frames[:-1])
        self.assertEqual(len(errors.splitlines()), 1, errors)
        self.assertIn("cut off", errors)

    def test_label_by_signal(self):
        with self.record() as tool:
            self.frames_of(tool, 2)
            for number in (1, 2):
                tool.process.send_signal(signal.SIGUSR1)
                wanted = ["usr1-%d" % number]
                tool.frame_where(lambda frame: frame["labels"] == wanted, "the label %s" % wanted, Deadline(10))
            tool.stop()
        frames, _ = self.replayed("--from", "usr1-1", "--to", "usr1-2")
        self.assertEqual((frames[0]["labels"], frames[-1]["labels"]), (["usr1-1"], ["usr1-2"]))
        refused = run_tool("replay", "--json", "--from", "usr1-3", self.file)
        self.assert_refused(refused, 2, "usr1-3", "usr1-1, usr1-2")

    def test_run_labels_and_does_not_pass_the_signal_on(self):
        code = "import os, signal, time; os.kill(os.getppid(), signal.SIGUSR1); time.sleep(1)"
        result = run_tool("run", "-d", "0.2", "--record", self.file, "--", "/usr/bin/python3", "-c", code)
        self.assertEqual(result.returncode, 0, result.stderr)
        frames, _ = self.replayed()
        self.assertIn(["usr1-1"], [frame["labels"] for frame in frames])

    def test_full_disk(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", self.folder], check=True)
        try:
            filler = os.path.join(self.folder, "filler")
            with open(filler, "wb") as file:
                file.write(bytes(28 << 10))
            with self.record(delay="0.1") as tool:
                self.frames_of(tool, 150)
                os.remove(filler)
                self.frames_of(tool, 10)
                self.assertEqual(tool.stop(), 0)
                complaints = [line for line in tool.stderr().splitlines() if "No space left" in line]
            self.assertEqual(len(complaints), 1, complaints)
            frames, errors = self.replayed()
            self.assertEqual(errors, "")
            self.assertGreater(len(frames), 10)
            self.assertLess(len(frames), 160)
        finally:
            subprocess.run(["umount", self.folder], check=True)

    def test_refused(self):
        self.assert_refused(run_tool("--json", "-n", "1", "--record", "-"), 2, "--record")
        pid = str(self.process.pid)
        for path, word in ((self.folder, "directory"), ("/dev/null", "not a file"), (__file__, "no recording")):
            with self.subTest(path=path):
                result = run_tool("--json", "-n", "1", "-p", pid, "--record", path)
                self.assertNotEqual(result.returncode, 0)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertIn(word, result.stderr)
        self.assert_refused(run_tool("replay", __file__), 1, "not a recording")

    def test_screen(self):
        with self.record("-n", "40") as tool:
            self.frames_of(tool, 40)
            tool.end(Deadline(10))
        terminal = Terminal(120, 30, "%s replay %s; read line" % (TOOL, self.file))
        try:
            terminal.wait_for(lambda screen: "replaying a.alrec at 0.0s of" in screen, "the recording's beginning")
            terminal.keys("Space")
            terminal.wait_for(lambda screen: "PAUSED" in screen, "the pause")
            terminal.keys("}")
            terminal.wait_for(lambda screen: "END" in screen and "at 7.8s" in screen, "the end")
            terminal.keys("{")
            terminal.wait_for(lambda screen: "PAUSED" in screen and "at 0.0s" in screen, "the beginning")
            terminal.keys(".")
            terminal.wait_for(lambda screen: "at 0.2s" in screen, "the next sample")
            terminal.keys(",")
            terminal.wait_for(lambda screen: "at 0.0s" in screen, "the sample before")
            terminal.keys("m")
            terminal.wait_for(lambda screen: "needs the living process" in screen, "that it needs a process")
            terminal.keys("q")
            terminal.wait_for(lambda screen: "replaying" not in screen, "the end of the program")
        finally:
            terminal.close()

    def test_label_by_key(self):
        arguments = "-d 0.2 -p %d --record %s" % (self.process.pid, self.file)
        terminal = Terminal(120, 30, "%s %s; read line" % (TOOL, arguments))
        try:
            terminal.wait_for(lambda screen: "held" in screen, "the site")
            terminal.keys("l", "v", "2", "Enter")
            terminal.wait_for(lambda screen: "labelled v2" in screen, "the message")
            terminal.wait_for(lambda _: self.replay_has_label("v2"), "the label in the file")
            terminal.keys("q")
        finally:
            terminal.close()

    def replay_has_label(self, label):
        return run_tool("replay", "--json", "-n", "1", "--from", label, self.file).returncode == 0


if __name__ == "__main__":
    run_tests()
