#!/usr/bin/env python3
"""The live view in a real terminal (tmux): the leak is named, keys do what top's users expect, q leaves no trace.

    test_top.py [-v] [TEST...]      unittest's own options; needs root and tmux, else it exits 77 (skipped)
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import unittest

from processes import PROJECT, TOOL, Deadline
from run_e2e import run_tests

DEMO = os.path.join(PROJECT, "demo", "leaky_service.py")
LEAK = "ChatRoom.relay"
POLL_S = 0.05


class Terminal:
    """A tmux of our own, with one window of a given size that runs a shell command."""

    def __init__(self, columns, rows, command, environment=()):
        self.folder = tempfile.mkdtemp(prefix="asyncleak-tmux-")
        settings = [word for pair in environment for word in ("-e", pair)]
        self.tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), *settings,
            "-c", self.folder, "sh", "-c", command,
        )  # fmt: skip

    def tmux(self, *arguments):
        socket = os.path.join(self.folder, "socket")
        result = subprocess.run(["tmux", "-u", "-S", socket, *arguments], capture_output=True, text=True, timeout=10)
        if result.returncode:
            raise AssertionError("tmux %s: %s" % (arguments[0], result.stderr))
        return result.stdout

    def close(self):
        self.tmux("kill-server")
        shutil.rmtree(self.folder)

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def full_screen(self):
        """Whether a program has the terminal's alternate screen."""
        return self.tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    def wait_for(self, wanted, what, seconds=15):
        """The screen once WANTED is true of it. tmux tells nobody of a change, so it is asked again and again."""
        deadline = Deadline(seconds)
        while True:
            screen = self.screen()
            if wanted(screen):
                return screen
            if deadline.passed():
                raise AssertionError("never saw %s on the screen:\n%s" % (what, screen))
            time.sleep(POLL_S)

    def wait_for_text(self, text):
        return self.wait_for(lambda screen: text in screen, repr(text))


class TopTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.demo = subprocess.Popen(["/usr/bin/python3", DEMO], stdout=subprocess.PIPE)
        cls.demo.stdout.readline()  # it says so when it serves

    @classmethod
    def tearDownClass(cls):
        cls.demo.kill()
        cls.demo.wait()
        cls.demo.stdout.close()

    def open(self, columns, rows, *options, environment=("LC_ALL=C.UTF-8",)):
        """The live view; after it the shell shows its status and the terminal's settings, and waits."""
        top = shlex.join([TOOL, "-p", str(self.demo.pid), "-d", "0.5", *options])
        terminal = Terminal(columns, rows, top + "; echo status=$?; stty -a; cat", environment)
        self.addCleanup(terminal.close)
        terminal.wait_for_text(LEAK)
        return terminal

    def assert_restored(self, terminal, status=0):
        # stty writes after the status, "extproc" last.
        screen = terminal.wait_for(lambda seen: "status=%d" % status in seen and "extproc" in seen, "the settings")
        settings = screen[screen.index("status="):].split()
        for name in ("icanon", "echo", "isig", "icrnl", "opost", "onlcr"):
            self.assertIn(name, settings)
        self.assertFalse(terminal.full_screen())

    def test_names_the_leak_at_80x24(self):
        terminal = self.open(80, 24)
        self.assertTrue(terminal.full_screen())
        lines = terminal.screen().splitlines()
        self.assertLessEqual(max(len(line) for line in lines), 80)
        row = next(line for line in lines if LEAK in line)
        self.assertRegex(row, r"\d", "the row has no number at 80 columns")
        terminal.keys("q")
        self.assert_restored(terminal)

    def test_names_the_leak_at_200x50(self):
        terminal = self.open(200, 50)
        terminal.wait_for_text("leaky_service.py")
        terminal.keys("q")
        self.assert_restored(terminal)

    def test_leak_is_the_first_row(self):
        terminal = self.open(120, 30)

        def first(screen):
            names = [line for line in screen.splitlines() if "ChatServer." in line or "ChatRoom." in line]
            return bool(names) and LEAK in names[0]

        terminal.wait_for(first, LEAK + " above the handlers", 30)

    def test_help_opens_and_closes(self):
        terminal = self.open(80, 24)
        terminal.keys("?")
        terminal.wait_for(lambda screen: LEAK not in screen, "the help instead of the rows")
        terminal.keys("Escape")
        terminal.wait_for_text(LEAK)

    def test_enter_shows_who_creates_it(self):
        terminal = self.open(120, 40)
        # Tasks from before the attach have a row of their own, without a creation stack: the one that grows is above.
        grows = re.compile(re.escape(LEAK) + r" .*\b(growing|leak)\b")
        terminal.wait_for(grows.search, "the leak growing")
        terminal.keys("Home", "Enter")
        # Creation stack: relay's tasks are made by join, which handle_client calls.
        terminal.wait_for(lambda screen: "join" in screen and "handle_client" in screen, "the creation stack")
        terminal.keys("Escape")
        terminal.wait_for_text(LEAK)

    def test_findings_lead_to_the_site(self):
        terminal = self.open(80, 24)
        terminal.wait_for(re.compile(r"^(LEAK|WARNING) " + re.escape(LEAK), re.MULTILINE).search, "the banner", 30)
        terminal.keys("!")
        found = re.compile(r"^(LEAK|WARNING) (?:task-leak|done-held) ChatRoom\.relay: pid %d " % self.demo.pid, re.MULTILINE)
        screen = terminal.wait_for(found.search, "the finding in the list")
        # Its own functions, not asyncio's create_task and Queue.get.
        self.assertRegex(screen, r"\n  created in \S*leaky_service\.py:\d+\s+ChatRoom\.join\n")
        self.assertRegex(screen, r"\n  waiting in \S*leaky_service\.py:\d+\s+ChatRoom\.relay\n")
        self.assertLessEqual(max(len(line) for line in screen.splitlines()), 80)
        terminal.keys("Enter")
        terminal.wait_for_text("defined at " + DEMO[:20])
        terminal.keys("Escape")
        terminal.wait_for(found.search, "the list again")
        terminal.keys("!")
        terminal.wait_for_text("CREATED AT")

    def test_filter_hides_the_rest(self):
        terminal = self.open(120, 40)
        terminal.wait_for_text("ChatServer.")
        terminal.keys("f", *"relay", "Enter")
        terminal.wait_for(lambda screen: LEAK in screen and "ChatServer." not in screen, "only " + LEAK)

    def test_pause_holds_the_frame(self):
        terminal = self.open(80, 24)
        before = terminal.screen()
        terminal.keys("Space")
        paused = terminal.wait_for_text("PAUSED")  # "Pause" is the key's name in the bottom line
        self.assertNotEqual(before, paused)
        terminal.keys("Space")
        terminal.wait_for(lambda screen: "PAUSED" not in screen, "that it goes on")

    def test_sort_and_processes(self):
        terminal = self.open(120, 40)
        terminal.keys("s")
        terminal.wait_for_text("Sort by")
        terminal.keys("Escape")
        terminal.wait_for_text(LEAK)
        terminal.keys("p")
        terminal.wait_for(lambda screen: str(self.demo.pid) in screen and LEAK + "  " not in screen, "the process row")
        terminal.keys("p")
        terminal.wait_for_text(LEAK)
        self.assertTrue(terminal.full_screen())

    def test_snapshot_is_written(self):
        terminal = self.open(120, 40)
        before = set(os.listdir(terminal.folder))
        terminal.keys("w")
        terminal.wait_for(lambda _: set(os.listdir(terminal.folder)) - before, "a new file")
        (new,) = set(os.listdir(terminal.folder)) - before
        with open(os.path.join(terminal.folder, new)) as snapshot:  # whole as soon as it is there
            self.assertIn(LEAK, snapshot.read())

    def test_resize(self):
        terminal = self.open(200, 50)
        for columns, rows in ((80, 24), (40, 10), (160, 45)):
            terminal.resize(columns, rows)
            terminal.wait_for(lambda screen: any(line.strip() for line in screen.splitlines()), "a frame")
        terminal.wait_for_text(LEAK)
        terminal.keys("q")
        self.assert_restored(terminal)

    def test_ascii_in_the_c_locale(self):
        terminal = self.open(80, 24, environment=("LC_ALL=C",))
        self.assertTrue(terminal.screen().isascii(), terminal.screen())

    def test_no_color(self):
        terminal = self.open(80, 24, environment=("LC_ALL=C.UTF-8", "NO_COLOR=1"))
        escapes = terminal.tmux("capture-pane", "-p", "-e")
        self.assertNotRegex(escapes, "\x1b\\[[0-9;]*(3[0-7]|4[0-7]|38|48)[;m]")

    def test_sigterm_restores_the_terminal(self):
        self.assert_restored_after("TERM", 0)

    def test_crash_restores_the_terminal(self):
        self.assert_restored_after("SEGV", 128 + 11)

    def assert_restored_after(self, signal_name, status):
        terminal = self.open(80, 24)
        children = subprocess.run(
            ["pgrep", "-f", "-x", "%s -p %d -d 0.5" % (TOOL, self.demo.pid)], capture_output=True, text=True
        )
        for pid in children.stdout.split():
            subprocess.run(["kill", "-" + signal_name, pid], check=True)
        self.assert_restored(terminal, status)


if __name__ == "__main__":
    run_tests(None if shutil.which("tmux") else "needs tmux")
