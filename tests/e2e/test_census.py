#!/usr/bin/env python3
"""The census: every kind of object, at rest, under churn and leaking, on every interpreter.

    test_census.py [-v] [-k PATTERN] [TEST...]    unittest's own options. -k debian_3_14, -k AtRest.test_timers,
                                                  -k Leaks.test_done_list; needs root, else it exits 77 (skipped)
"""

import contextlib
import json
import os
import subprocess
import unittest

import interpreters
from census_compare import holder_differences, inspect_differences
from census_frames import column_sum, frame_differences, outstanding_differences, row_differences, sites_of
from census_leaks import PATTERNS
from processes import FRAME_S, HERE, SCENARIOS, TOOL, Deadline, Failure, Target, Tool, process_row, watches
from run_e2e import no_fleet, run_tests

LEAKS = os.path.join(os.path.dirname(HERE), "cases", "programs")
KINDS = ("states", "chains", "coroutines", "timers", "transports", "queues", "loops", "locals", "holders")
DELAY = "0.5"
INSPECT_S = 30  # with 100,000 tasks to print
LOOKS = int(os.environ.get("ASYNCLEAK_LOOKS", "20"))  # at a program that churns at full speed


def inspect(pid, *options):
    """`inspect --json`: the document."""
    command = [TOOL, "inspect", "--json", *options, str(pid)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=INSPECT_S)
    except subprocess.TimeoutExpired:
        raise Failure("%s does not end within %d s" % (" ".join(command), INSPECT_S)) from None
    if done.returncode != 0:
        raise Failure("%s: status %d: %s" % (" ".join(command), done.returncode, done.stderr.decode()))
    return json.loads(done.stdout)


def equal_frame(tool, differences, what, deadline):
    """Reads frames until DIFFERENCES of one are none; the next one must say the same. Returns that one."""
    agreed = 0
    while agreed < 2:
        frame = tool.frame(Deadline(FRAME_S))
        problems = differences(frame)
        agreed = 0 if problems else agreed + 1
        if problems and deadline.passed():
            raise Failure("%s:\n%s" % (what, "\n".join(problems)))
    return frame


@contextlib.contextmanager
def target_of(test, interpreter, folder, program, *arguments):
    """PROGRAM of FOLDER, ready: (target, what it said). It must end well."""
    with interpreter.place(folder) as place:
        with Target(interpreter, "%s/%s.py" % (place, program), *arguments) as target:
            hello = target.ready(Deadline(60))
            if "not_applicable" in hello:
                test.skipTest(hello["not_applicable"])
            yield target, hello
            test.assertEqual(target.leave(), 0, "the target did not end well after having been watched")


def attached(tool, pid):
    return tool.frame_where(watches(pid), "process %d attached" % pid, Deadline(10))


def for_each_interpreter(case):
    """check_NAME(self, interpreter) becomes test_NAME__INTERPRETER, one for each."""
    for name in [each for each in vars(case) if each.startswith("check_")]:
        for interpreter in interpreters.all_interpreters():
            test = lambda self, check=vars(case)[name], which=interpreter: check(self, which)  # noqa: E731
            suffix = interpreter.name.replace("-", "_").replace(".", "_")
            setattr(case, "test_%s__%s" % (name[len("check_"):], suffix), test)
    return case


class Case(unittest.TestCase):
    def equal(self, problems, what):
        if problems:
            self.fail("%s:\n%s" % (what, "\n".join(problems)))


def at_rest(kind):
    def check(self, interpreter):
        with target_of(self, interpreter, SCENARIOS, "census_" + kind) as (target, hello):
            target.go()
            truth = target.truth(Deadline(30))
            self.equal(inspect_differences(inspect(truth["pid"]), truth), "inspect is not the truth")
            with Tool("--json", "-d", DELAY, "-p", str(truth["pid"])) as tool:
                what = "sites are not the truth"
                equal_frame(tool, lambda frame: frame_differences(frame, truth), what, Deadline(10))
                self.assertEqual(tool.stop(), 0, tool.stderr())
            self.equal(inspect_differences(inspect(truth["pid"]), truth), "a second look")

    return check


class AtRest(Case):
    """Everything a program has when it stands still, by kind."""


for each_kind in KINDS:
    setattr(AtRest, "check_" + each_kind, at_rest(each_kind))
for_each_interpreter(AtRest)


@for_each_interpreter
class Preexisting(Case):
    def check_old_tasks_while_others_churn(self, interpreter):
        with target_of(self, interpreter, SCENARIOS, "census_preexisting") as (target, hello):
            pid, parked = hello["ready"], hello["parked"]
            with Tool("--json", "-d", DELAY, "-p", str(pid)) as tool:
                attached(tool, pid)
                tool.frame(Deadline(FRAME_S))
                tool.frame(Deadline(FRAME_S))  # the first second is over
                for _ in range(10):
                    frame = tool.frame(Deadline(FRAME_S))
                    self.assertEqual(column_sum(frame, pid, "task", "parked", "outstanding"), parked)
                    churned = column_sum(frame, pid, "task", "churned", "outstanding")
                    self.assertLessEqual(churned, hello["at_most"])
                target.go()
                self.settled(tool, target.truth(Deadline(30)), "the churn has stopped")
                target.go()
                self.settled(tool, target.truth(Deadline(30)), "half of the old ones have ended")
                self.assertEqual(tool.stop(), 0, tool.stderr())

    def settled(self, tool, truth, when):
        (process,) = truth["processes"]
        frame = equal_frame(tool, lambda each: outstanding_differences(each, process), when, Deadline(10))
        self.assertEqual(frame["probes"]["dropped_total"], 0)


@for_each_interpreter
class Churn(Case):
    def check_inspect_under_full_churn(self, interpreter):
        """Each look succeeds, and shows no task that did not exist while it was taken."""
        with interpreter.place(SCENARIOS) as folder, Target(interpreter, folder + "/census_churn.py") as target:
            hello = target.ready(Deadline(60))
            for number in range(LOOKS):
                everything = number % 10 == 0
                before = self.made(target)
                document = inspect(hello["ready"], *(("--limit", "0") if everything else ()))
                born = self.made(target) - before
                total, parked = document["tasks_total"], hello["parked"] + 1
                self.assertGreaterEqual(total, parked, "look %d" % number)
                self.assertLessEqual(total, parked + hello["at_most"] + born, "look %d" % number)
                seen = sum(task["coroutine"] == "parked" for task in document["tasks"])
                if everything:
                    self.assertEqual(seen, hello["parked"], "look %d" % number)
                else:
                    self.assertGreater(seen, 0, "look %d" % number)

    @staticmethod
    def made(target):
        target.go()
        return target.truth(Deadline(10))["made"]


def leaking(pattern):
    def check(self, interpreter):
        with target_of(self, interpreter, LEAKS, pattern.program) as (target, hello):
            pid = hello["ready"]
            with Tool("--json", "-d", DELAY, "-p", str(pid)) as tool:
                attached(tool, pid)
                target.go()
                enough = 2 * pattern.rate
                tool.frame_where(lambda frame: shown(frame, pid, pattern) >= enough, "%d leaked" % enough, Deadline(20))
                target.go()
                row = target.truth(Deadline(20))["row"]
                self.assertEqual((row["kind"], row["name"], tuple(row["holder"])),
                                 (pattern.kind, pattern.name, pattern.holder))  # fmt: skip
                self.assertGreaterEqual(row["count"], enough)
                if pattern.kind != "queue":
                    what = "the row of the leak"
                    equal_frame(tool, lambda frame: row_differences(frame, pid, pattern, row), what, Deadline(10))
                self.assertEqual(tool.stop(), 0, tool.stderr())
            self.equal(inspected_differences(inspect(pid), pattern, row), "inspect")

    return check


def mended(pattern):
    def check(self, interpreter):
        with target_of(self, interpreter, LEAKS, pattern.program, "fixed") as (target, hello):
            pid = hello["ready"]
            with Tool("--json", "-d", DELAY, "-p", str(pid)) as tool:
                attached(tool, pid)
                target.go()
                for _ in range(10):
                    frame = tool.frame(Deadline(FRAME_S))
                    self.assertLessEqual(shown(frame, pid, pattern, every=True), pattern.twin_limit)
                    leaks = [each for each in frame["findings"] if each["severity"] == "leak"]
                    self.assertEqual(leaks, [])
                target.go()
                truth = target.truth(Deadline(20))
                self.assertGreaterEqual(truth["operations"], min(pattern.rate, 10))
                row = truth["row"]
                self.assertLessEqual(row["count"], pattern.twin_limit)
                if pattern.kind != "queue" and row["count"] == 0:
                    gone = "rows of what is no longer there"
                    equal_frame(tool, lambda each: left_over(each, pid, pattern), gone, Deadline(10))
                self.assertEqual(tool.stop(), 0, tool.stderr())

    return check


def shown(frame, pid, pattern, every=False):
    """How many the tool shows; EVERY: of the kind, whatever their names."""
    if pattern.kind == "queue":
        return max((queue["length"] for queue in inspect(pid)["queues"]), default=0)
    if every:
        return sum(site["outstanding"] or 0 for site in sites_of(frame, pid, pattern.kind))
    return column_sum(frame, pid, pattern.kind, pattern.name, pattern.count) or 0


def left_over(frame, pid, pattern):
    count = column_sum(frame, pid, pattern.kind, pattern.name, pattern.count)
    return ["%s: %d" % (pattern.name, count)] if count else []


def inspected_differences(document, pattern, row):
    """What only `inspect` shows of a leak: the length of a queue, and who holds a task."""
    if pattern.kind == "queue":
        lengths = [queue["length"] for queue in document["queues"]]
        return [] if lengths == [row["count"]] else ["queues of %r items, true %d" % (lengths, row["count"])]
    if pattern.kind != "task":
        return []
    done = pattern.count == "done"
    tasks = [each for each in document["tasks"] if each["coroutine"] == row["name"]]
    tasks = [each for each in tasks if (each["state"] != "pending") == done]
    if len(tasks) != row["count"]:
        return ["%d tasks %s, true %d" % (len(tasks), row["name"], row["count"])]
    return holder_differences(tasks[0], row["holder"]) if row["holder"] else []


class Leaks(Case):
    """Leaking programs of tests/cases: the row appears, with its place, its count and its holder."""


class Twins(Case):
    """Their corrected twins: the row stays flat."""


for each_pattern in PATTERNS:
    setattr(Leaks, "check_" + each_pattern.program, leaking(each_pattern))
    setattr(Twins, "check_" + each_pattern.program, mended(each_pattern))
for_each_interpreter(Leaks)
for_each_interpreter(Twins)


@for_each_interpreter
class Exec(Case):
    def check_a_process_that_executes_itself(self, interpreter):
        """The same PID and the same program, at other addresses: nothing the census has learned holds any more."""
        with target_of(self, interpreter, SCENARIOS, "exec") as (target, hello):
            pid = hello["ready"]
            with Tool("--json", "-d", DELAY, "-p", str(pid)) as tool:
                attached(tool, pid)
                target.go()
                target.truth(Deadline(30))
                equal_frame(tool, lambda frame: self.differences(frame, pid), "after exec", Deadline(10))
                self.assertEqual(tool.stop(), 0, tool.stderr())

    @staticmethod
    def differences(frame, pid):
        row = process_row(frame, pid)
        if row is None:
            return ["process %d is not in the frame" % pid]
        seen = {"before": column_sum(frame, pid, "task", "before", "outstanding") or 0,
                "after, pending": column_sum(frame, pid, "task", "after", "pending")}  # fmt: skip
        lines = ["%s: %s, true %d" % (name, seen[name], true)
                 for name, true in (("before", 0), ("after, pending", 5)) if seen[name] != true]  # fmt: skip
        lines += ["warning: " + each for each in row["warnings"]]
        reason = row["memory"]["unknown"] if row["memory"] else "not observed"
        return lines + (["memory: " + reason] if reason else [])


@for_each_interpreter
class Values(Case):
    """What is in the variables of a program is shown to nobody who has not asked for it."""

    SECRET = "correct horse battery staple"  # scenarios/census_locals.py

    def check_shown_on_request_only(self, interpreter):
        with target_of(self, interpreter, SCENARIOS, "census_locals") as (target, hello):
            target.go()
            pid = target.truth(Deadline(30))["pid"]
            self.assertNotIn(self.SECRET, json.dumps(inspect(pid)))
            self.assertNotIn(self.SECRET, json.dumps(inspect(pid, "--locals", "--redact")))
            (task,) = inspect(pid, "--locals", "--task", "many locals")["tasks"]
            (secret,) = [each for each in task["locals"] if each["name"] == "secret"]
            self.assertIn(self.SECRET, secret["value"])


if __name__ == "__main__":
    run_tests(no_fleet())
