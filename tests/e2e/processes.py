"""The two processes of an e2e case: the tool, read line by line, and the target, driven step by step.

Used by the other scripts of this folder and bench/. Waits for events with a deadline, never for time to pass.
"""

import json
import os
import selectors
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
SCENARIOS = os.path.join(HERE, "scenarios")
TOOL = os.environ.get("ASYNCLEAK_TOP", os.path.join(PROJECT, "build", "asyncleak-top"))


FRAME_S = 30  # no frame for so long: the tool hangs
PATIENCE = float(os.environ.get("ASYNCLEAK_PATIENCE", "1"))  # tests/vm: an emulated processor takes so much longer


class Failure(Exception):
    """What went wrong, in words for the person who reads the test's output."""


class Deadline:
    def __init__(self, seconds):
        self._end = time.monotonic() + seconds * PATIENCE

    def left(self):
        return max(0.0, self._end - time.monotonic())

    def passed(self):
        return self.left() == 0


class LineReader:
    """Lines from a descriptor, each waited for with a deadline."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._buffer = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(descriptor, selectors.EVENT_READ)

    def line(self, deadline):
        """The next line, or None at the end of the stream. TimeoutError when the deadline passes first."""
        while b"\n" not in self._buffer:
            if not self._selector.select(deadline.left()):
                raise TimeoutError
            chunk = os.read(self._descriptor, 1 << 16)
            if not chunk:
                return None
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode()

    def close(self):
        self._selector.close()


def end(process):
    """Ends a process we started at once, if it still runs."""
    if process.poll() is None:
        process.kill()
    process.wait()


def stop(process, number=signal.SIGTERM, seconds=10):
    """Ends a process we started; its status."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        end(process)
        raise Failure("%s did not end within %d s of signal %d" % (process.args[0], seconds, number)) from None


class Tool:
    """asyncleak-top: with --json frames as they come, else lines."""

    def __init__(self, *arguments, pass_fds=(), env=None, before=None):
        self.argv = [TOOL, *arguments]
        self._errors = open(os.memfd_create("stderr"), "w+b")
        self.process = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=pass_fds,
            env=env,
            preexec_fn=before,
        )
        self._reader = LineReader(self.process.stdout.fileno())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.process.stdout.close()
        self._reader.close()
        self._errors.close()

    def stderr(self):
        return os.pread(self._errors.fileno(), 4096, 0).decode(errors="replace").strip()

    def line(self, deadline):
        """The next line of its standard output."""
        try:
            line = self._reader.line(deadline)
        except TimeoutError:
            raise Failure("nothing from %s in time; stderr: %s" % (" ".join(self.argv), self.stderr())) from None
        if line is None:
            raise Failure(
                "%s ended with status %s; stderr: %s" % (" ".join(self.argv), self.process.wait(10), self.stderr())
            )
        return line

    def frame(self, deadline):
        return json.loads(self.line(deadline))

    def frame_where(self, wanted, what, deadline):
        """The first frame for which WANTED is true."""
        while True:
            frame = self.frame(Deadline(FRAME_S))
            if wanted(frame):
                return frame
            if deadline.passed():
                raise Failure("no frame in time with %s; the last one: %s" % (what, json.dumps(frame)[:2000]))

    def stop(self, number=signal.SIGTERM):
        """Ends it the way a user does; its status. Reads what it still writes: it must not block on us."""
        self.process.send_signal(number)
        return self.end(Deadline(10))

    def end(self, deadline):
        """Waits until it ends by itself; its status."""
        try:
            while self._reader.line(deadline) is not None:
                pass
            return self.process.wait(deadline.left() + 1)
        except (TimeoutError, subprocess.TimeoutExpired):
            raise Failure("%s does not end; stderr: %s" % (" ".join(self.argv), self.stderr())) from None


def watches(pid):
    """A frame that shows PID as attached."""

    def wanted(frame):
        row = process_row(frame, pid)
        return row is not None and row["coverage"].get("tasks") in ("exact", "since-attach", "at-least")

    return wanted


def process_row(frame, pid):
    return next((row for row in frame["processes"] if row["pid"] == pid), None)


class Target:
    """A scenario. It stands still until go(); truth() is what it says of itself at its next barrier."""

    def __init__(self, interpreter, path, *arguments):
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        self.process = subprocess.Popen(
            interpreter.argv(path, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._channel = Channel(self.process.stdout.fileno(), self.process.stdin.fileno())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()

    def ready(self, deadline):
        return self._channel.say_or_fail(deadline)

    def go(self):
        self._channel.go()

    def truth(self, deadline):
        return self._channel.say_or_fail(deadline)

    def leave(self):
        """Lets it end by itself; its status."""
        self._channel.go()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            raise Failure("the target does not end by itself") from None


class Channel:
    """The line protocol of scenarios/ledger.py, seen from the test."""

    def __init__(self, source, sink):
        self._reader = LineReader(source)
        self._sink = sink

    def go(self):
        os.write(self._sink, b"go\n")

    def say_or_fail(self, deadline):
        try:
            line = self._reader.line(deadline)
        except TimeoutError:
            raise Failure("the target said nothing in time") from None
        if line is None:
            raise Failure("the target ended early: see its stderr")
        return json.loads(line)
