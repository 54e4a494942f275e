#!/usr/bin/env python3
"""Hints: each known pattern is named, its remedy names the program's own names; what is another leak gets none.

    test_hints.py [-v] [-k PATTERN] [TEST...]    unittest's own options; needs root, else it exits 77 (skipped)
"""

import unittest

import interpreters
from processes import FRAME_S, Deadline, Tool
from run_e2e import no_fleet, run_tests
from test_census import DELAY, LEAKS, attached, target_of

# The machine's own, and the oldest and newest of the fleet that are in a release.
INTERPRETERS = ("machine", "debian-3.9", "debian-3.14")
FRAMES = 24
MOST_FRAMES = 80  # until a hint is there: on a busy machine the census looks less often

# (program and its arguments, kind and name of the finding, pattern or None, a name that the hint must have)
HINTS = (
    ("left_behind wait_loser", "task-leak", "slow", "wait-loser", "`wait_loser`"),
    ("left_behind wait_timeout", "task-leak", "slow", "wait-timeout", "`wait_timeout`"),
    ("left_behind as_completed_left", "task-leak", "slow", "as-completed-left", "`as_completed_left`"),
    ("left_behind as_completed_left_of_coroutines", "task-leak", "slow", "as-completed-left", "`slow`"),
    ("left_behind gather_orphan", "task-leak", "slow", "gather-orphan", "`slow`"),
    ("left_behind shield_orphan", "task-leak", "slow", "shield-orphan", "`shield_orphan`"),
    ("shield_orphan", "task-leak", "fetch", "shield-orphan", "`fetch`"),
    ("background_task", "task-leak", "Session.heartbeat", "task-kept", "`background_tasks`"),
    ("done_list", "done-held", "job", "done-kept", "history.discard"),
    ("deadlock", "task-leak", "left", "deadlock", "`left`"),
    ("timer_cycle", "timer-leak", "Cache.refresh", "timer-rearmed", "`Cache.refresh`"),
    ("asyncgen_half", "asyncgen-leak", "Table.cursor", "asyncgen-not-closed", "aclosing(cursor("),
    ("callbacks_kept", "memory-growth", "list `subscribers` of module __main__", "listener-kept", "`subscribers`"),
    ("unbounded_queue", "memory-growth", "asyncio.queues.Queue `queue` of module __main__", "queue-unbounded",
     "`queue`"),  # fmt: skip
    ("subprocess_abandoned", "transport-leak", "SubprocessStreamProtocol", "subprocess-not-waited", "process.wait()"),
)
# Only where tasks count their cancellations (3.11) can it be seen that one was swallowed.
SWALLOWED = ("cancel_swallowed", "cancel-ignored", "poll", "cancel-swallowed", "`poll`")
# The same function leaks something else: the finding is there, a hint is not.
OTHERS = tuple("left_behind %s other" % each for each in
               ("wait_loser", "wait_timeout", "as_completed_left", "as_completed_left_of_coroutines", "gather_orphan",
                "shield_orphan"))  # fmt: skip
HEALTHY = ("left_behind wait_loser fixed", "left_behind gather_orphan fixed", "deadlock fixed", "callbacks_kept fixed",
           "done_list fixed", "background_task fixed", "timer_cycle fixed", "unbounded_queue fixed")  # fmt: skip


def frames(test, interpreter, program, count, enough=lambda: False):
    """COUNT frames of the tool at the program under its load, fewer when that is ENOUGH."""
    name, *arguments = program.split()
    with target_of(test, interpreter, LEAKS, name, *arguments) as (target, hello):
        pid = hello["ready"]
        with Tool("--json", "-d", DELAY, "-p", str(pid)) as tool:
            attached(tool, pid)
            target.go()
            for _ in range(count):
                yield tool.frame(Deadline(FRAME_S))
                if enough():
                    break
            test.assertEqual(tool.stop(), 0, tool.stderr())
        target.go()
        target.truth(Deadline(20))


def is_about(finding, kind, name):
    return finding["kind"] == kind and finding["coroutine"] == name


class Hints(unittest.TestCase):
    def hinted(self, interpreter, program, kind, name, pattern, word):
        told = []
        for frame in frames(self, interpreter, program, MOST_FRAMES, lambda: len(told) >= 3):
            for finding in frame["findings"]:
                self.assertEqual(finding["pattern"] is None, finding["hint"] is None, finding)
                if is_about(finding, kind, name) and finding["pattern"]:
                    told.append(finding)
        self.assertTrue(told, "no hint for %s %s" % (kind, name))
        self.assertEqual({finding["pattern"] for finding in told}, {pattern})
        self.assertIn(word, told[-1]["hint"])

    def unhinted(self, interpreter, program, finding_expected):
        seen = []
        for frame in frames(self, interpreter, program, FRAMES):
            seen += frame["findings"]
            for row in frame["processes"]:
                self.assertEqual(row["warnings"], [])
        hints = {(each["kind"], each["coroutine"], each["pattern"]) for each in seen if each["pattern"]}
        self.assertEqual(hints, set())
        if finding_expected:
            self.assertTrue(any(is_about(each, "task-leak", "heartbeat") for each in seen), "the heartbeats leak")


def add(label, which, method, *arguments):
    interpreter = next((each for each in interpreters.all_interpreters() if each.name == which), None)
    if interpreter is None:
        return
    name = "test_%s__%s" % (label, which.replace("-", "_").replace(".", "_"))
    setattr(Hints, name, lambda self: getattr(self, method)(interpreter, *arguments))


for which in INTERPRETERS:
    for case in HINTS + ((SWALLOWED,) if which != "debian-3.9" else ()):
        add(case[0].replace(" ", "_"), which, "hinted", *case)
    if which != "machine":  # what gives no hint does so in the model, which asks for no version
        continue
    for program in OTHERS:
        add(program.replace(" ", "_"), which, "unhinted", program, True)
    for program in HEALTHY:
        add(program.replace(" ", "_"), which, "unhinted", program, False)


if __name__ == "__main__":
    run_tests(no_fleet())
