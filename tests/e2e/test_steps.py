#!/usr/bin/env python3
"""Steps that hold their loop, and tasks destroyed before they finished: counted as the program itself counts them.

    test_steps.py [-v] [-k PATTERN] [TEST...]    unittest's own options. -k debian_3_14; needs root, else it exits 77
                                                 (skipped)
"""

import contextlib

from processes import FRAME_S, SCENARIOS, Deadline, Target, Tool, process_row
from run_e2e import run_tests
from test_census import Case, equal_frame, for_each_interpreter

DELAY = "0.5"
THRESHOLD_MS = "125"  # scenarios/held_loop.py: steps take 2 ms, or 250; on a busy machine, somewhat more
HELD = ("destroyed-pending", "slow-step")


def counts(frame, pid, value_of):
    """Of the task sites of PID, by coroutine."""
    found = {}
    for site in frame["sites"]:
        if site["pid"] == pid and site["kind"] == "task":
            found[site["coroutine"]] = found.get(site["coroutine"], 0) + value_of(site)
    return {name: count for name, count in found.items() if count}


def differences(frame, book):
    pid, problems = book["pid"], []
    tasks = [site for site in frame["sites"] if site["pid"] == pid and site["kind"] == "task"]
    if any(site["slow_steps"] is None or site["destroyed_pending"] is None for site in tasks):
        return ["not measured: %r" % [(site["coroutine"], site["slow_steps"]) for site in tasks]]
    for what, value_of in (
        ("slow", lambda site: site["slow_steps"]["count"]),
        ("lost", lambda site: site["destroyed_pending"]),
    ):
        said = counts(frame, pid, value_of)
        if said != book[what]:
            problems.append("%s: the tool says %r; true %r" % (what, said, book[what]))
    for site in tasks:
        if site["slow_steps"]["count"] and site["slow_steps"]["longest_s"] < book["long_s"]:
            problems.append("%s: its longest is %r" % (site["coroutine"], site["slow_steps"]))
    named = {(finding["kind"], finding["coroutine"]) for finding in frame["findings"] if finding["kind"] in HELD}
    true = {("slow-step", name) for name in book["slow"]} | {("destroyed-pending", name) for name in book["lost"]}
    if named != true:
        problems.append("findings: %r; true %r" % (named, true))
    if frame["probes"]["dropped_total"]:
        problems.append("%d events dropped" % frame["probes"]["dropped_total"])
    return problems


@contextlib.contextmanager
def watching(pid, *options):
    with Tool("--json", "-d", DELAY, "-p", str(pid), "--slow-step", THRESHOLD_MS, *options) as tool:
        for _ in range(2):  # the step probes are there with the first frame
            tool.frame_where(lambda frame: process_row(frame, pid), "%d attached" % pid, Deadline(20))
        yield tool


@for_each_interpreter
class Truth(Case):
    def check_asyncio(self, interpreter):
        self.phases(interpreter, "asyncio")

    def check_with_memory(self, interpreter):
        """The memory mode's probes measure, too."""
        self.phases(interpreter, "asyncio", "-m", "malloc", "--overhead-limit", "10000")

    def check_uvloop(self, interpreter):
        self.phases(interpreter, "uvloop")

    def phases(self, interpreter, loop, *options):
        with self.target_of(interpreter, loop) as (target, pid):
            with watching(pid, *options) as tool:
                target.go()
                (book,) = target.truth(Deadline(60))["processes"]
                self.settled(tool, book)
                target.go()
                target.truth(Deadline(10))
                self.goes_on(tool, pid)
                target.go()
                (book,) = target.truth(Deadline(10))["processes"]
                self.settled(tool, book)
                self.assertEqual(target.leave(), 0, "the target did not end well after having been watched")
                self.ends(tool, book)  # with tasks that are pending
                self.assertEqual(tool.stop(), 0, tool.stderr())

    @contextlib.contextmanager
    def target_of(self, interpreter, loop):
        with interpreter.place(SCENARIOS) as place:
            with Target(interpreter, place + "/held_loop.py", loop) as target:
                hello = target.ready(Deadline(60))
                if "not_applicable" in hello:
                    self.skipTest(hello["not_applicable"])
                yield target, hello["ready"]

    def settled(self, tool, book):
        equal_frame(tool, lambda frame: differences(frame, book), "steps and lost tasks are not the truth", Deadline(5))

    def goes_on(self, tool, pid):
        def running(frame):
            steps = [site["slow_steps"] for site in frame["sites"] if site["coroutine"] == "goes_on"]
            return steps and steps[0] and (steps[0]["running_s"] or 0) >= 1 and steps[0]["count"] == 0

        frame = tool.frame_where(running, "a step that goes on", Deadline(10))
        (why,) = (finding["why"] for finding in frame["findings"] if finding["coroutine"] == "goes_on")
        self.assertRegex(why, "^a step of `goes_on` has held the loop for .* and goes on")

    def ends(self, tool, book):
        deadline = Deadline(10)
        while True:
            frame = tool.frame(Deadline(FRAME_S))
            if process_row(frame, book["pid"]) is None:
                return
            self.assertEqual(counts(frame, book["pid"], lambda site: site["destroyed_pending"]), book["lost"])
            self.assertFalse(deadline.passed(), "it does not end")


if __name__ == "__main__":
    run_tests()
