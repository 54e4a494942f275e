#!/usr/bin/env python3
"""The static program in Debian roots from 11 to the newest: doctor, frames, exact counts, and the screen in tmux.

    test_static.py [-v] [TEST...]   unittest's own options; ASYNCLEAK_BUILD: where `make static` has left it
"""

import os
import subprocess
import sys
import unittest

import root

sys.path.insert(0, os.path.join(root.PROJECT, "tests", "e2e"))
from test_top import Terminal  # noqa: E402  (found by the line above)

STATIC = os.path.join(root.BUILD, "asyncleak-top-static")
INSIDE = "/asyncleak-top"
SUITES = ("bullseye", "bookworm", "trixie", "forky")  # 11, 12, 13 and testing: only the C library and what Python needs


def scenario(program, name, folder):
    """run_e2e.py on the machine's interpreter with PROGRAM; its output, which has no count that is not exact."""
    script = os.path.join(root.PROJECT, "tests", "e2e", "run_e2e.py")
    return subprocess.run(
        [sys.executable, script, "--scenario", name, "--interpreter", "machine"],
        capture_output=True, text=True, cwd=folder, env={**os.environ, "ASYNCLEAK_TOP": program},
    )  # fmt: skip


class Alone(unittest.TestCase):
    def test_nothing_is_needed_at_run_time(self):
        headers = subprocess.check_output(["readelf", "--wide", "--program-headers", "--dynamic", STATIC], text=True)
        self.assertNotIn("INTERP", headers)
        self.assertNotIn("NEEDED", headers)

    def test_counts_are_exact(self):
        done = scenario(STATIC, "lifecycle", "/")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("\nok "), 3, done.stdout)


class OldAndNew(unittest.TestCase):
    def in_each(self, check):
        """CHECK(root, PID of a leaking process of the machine's) in every root."""
        for suite in SUITES:
            with self.subTest(suite), root.Root(os.path.join(root.FLEET, suite)) as machine, root.leaking() as process:
                machine.put(STATIC, INSIDE)
                check(machine, process.pid)

    def test_doctor_and_frames(self):
        def check(machine, pid):
            self.assertIn("PID %d (python3): can be observed" % pid, machine.run(INSIDE, "doctor", str(pid)))
            self.assertEqual(machine.tasks_seen(INSIDE, pid), 7)
            frames = machine.run(INSIDE, "--batch", "-n", "2", "-d", "0.5", "-p", str(pid))
            self.assertRegex(frames, r"task +%s +7 " % root.LEAK)

        self.in_each(check)

    def test_counts_are_exact(self):
        def check(machine, _):
            program = os.path.join(machine.folder, "program")
            with open(program, "w", encoding="utf-8") as file:
                file.write('#!/bin/sh\nexec chroot %s %s "$@"\n' % (machine.path, INSIDE))
            os.chmod(program, 0o755)
            done = scenario(program, "threads", machine.folder)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(done.stdout.count("\nok "), 1, done.stdout)

        self.in_each(check)

    def test_no_terminal_description(self):
        """As in a container that has none: said, with what to do instead."""

        def check(machine, pid):
            screen = self.screen_of(machine, pid, "xterm-256color", "no terminal description")
            self.assertRegex(screen, "TERM=xterm-256color.*use --batch")

        self.in_each(check)

    def test_screen(self):
        """Without C.UTF-8, which these roots do not have, it is drawn in ASCII."""

        def check(machine, pid):
            os.makedirs(root.file_of(machine.path, "/lib/terminfo"))
            described = os.path.join(root.FLEET, "bare-bookworm/lib/terminfo")
            machine.mount(root.file_of(machine.path, "/lib/terminfo"), "--bind", described)
            self.assertRegex(self.screen_of(machine, pid, "screen", "cargo_"), r"task +cargo_na\S+ +7 ")

        self.in_each(check)

    def test_screen_in_utf8(self):
        for suite in ("bookworm", "trixie"):
            with root.Root(os.path.join(root.FLEET, "bare-" + suite)) as machine, root.leaking() as process:
                machine.put(STATIC, INSIDE)
                for kind in ("xterm-256color", "screen", "linux"):
                    screen = self.screen_of(machine, process.pid, kind, root.LEAK)
                    self.assertRegex(screen, r"task +%s +7 " % root.LEAK)

    def screen_of(self, machine, pid, kind, wanted):
        command = "TERM=%s LC_ALL=C.UTF-8 chroot %s %s -p %d; exec sleep 60" % (kind, machine.path, INSIDE, pid)
        terminal = Terminal(110, 30, command)
        try:
            screen = terminal.wait_for_text(wanted)
            terminal.keys("q")
            return screen
        finally:
            terminal.close()


if __name__ == "__main__":
    root.alone()
    unittest.main()
