"""Runs programs of the corpus under one asyncleak-top, and holds its findings against the labels.

Used by tests/e2e/test_judgement.py and bench/judgement.py. All programs of a round run at once, as on a machine with
many services; each says at its end what it counted itself, which must bear out its label.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

from corpus import PROGRAMS, verdict_on  # noqa: E402
from processes import Deadline, Failure, Target, Tool, watches  # noqa: E402

# Of what a healthy program may have besides what it counts: a websocket within one program is two connections, of three or
# four tasks each, and a task of websockets waits in up to seven coroutines.
OTHERS, OTHERS_PER_ONE = 60, 25
START_S = 120  # for seventy programs on two cores to come up
FRAME_S = 120  # no frame for so long, the first looks at all of them included: the tool hangs
WARM_UP_S = 5  # of load, before the tool comes
# One tool looks at seventy processes: its default share of a core, 5 %, is meant for a few, and gives each of so many
# one look in a minute.
BUDGET = ("--census-budget", "50")


@dataclass
class Outcome:
    """Of one program: what was found there and when, seconds from the start of the tool if nothing else is said."""

    case: object
    fixed: bool
    pid: int
    attached_s: float = None  # the first frame that shows the program as watched
    found_s: float = None  # from then, or from the beginning of the leak; None: what leaks was not named
    finding: dict = None  # as it was at last
    misplaced_s: float = None  # right but for a place in the program's own file
    wrong: dict = field(default_factory=dict)  # (kind, coroutine): (seconds, finding)
    also: dict = field(default_factory=dict)
    warnings: dict = field(default_factory=dict)
    series: list = field(default_factory=list)  # [seconds, kind, name, outstanding, verdict] of the largest sites
    truth: dict = None

    @property
    def name(self):
        return self.case.program + (" fixed" if self.fixed else "")

    @property
    def leaks(self):
        return self.case.leaks and not self.fixed

    def refuted(self):
        """Why the program is not what its label says; None: it is."""
        count, limit = self.truth["row"]["count"], self.case.limit
        if self.leaks and count <= limit:
            return "leaked only %d (limit of its twin: %d): %r" % (count, limit, self.truth["counts"])
        highest = max([count, *self.truth["counts"]])
        if not self.leaks and highest > limit:
            return "%d, more than %d: %r" % (highest, limit, self.truth["counts"])
        if not self.leaks and max(self.truth["alive"].values()) > OTHERS + OTHERS_PER_ONE * limit:
            return "more is alive than should be: %r" % self.truth["alive"]
        return None


class NotApplicable(Exception):
    """The interpreter lacks what the program needs."""


def missing_packages(cases):
    """Debian packages that are not there."""
    wanted = sorted({package for case in cases for package in case.packages})
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted]
    if not wanted or shutil.which("dpkg-query") is None:
        return []
    present = subprocess.run(query, capture_output=True, text=True).stdout.split("\n")
    return [package for package in wanted if package + " installed" not in present]


@contextlib.contextmanager
def running(interpreter, programs):
    """PROGRAMS: (case, fixed). All of them under load: [(Target, Outcome)]; those that do not apply are left out."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(interpreter.place(PROGRAMS))
        targets = []
        for case, fixed in programs:
            path = "%s/%s.py" % (folder, case.program)
            targets.append(stack.enter_context(Target(interpreter, path, *(["fixed"] if fixed else []))))
        ready, deadline = [], Deadline(START_S)
        for target, (case, fixed) in zip(targets, programs):
            try:
                hello = target.ready(deadline)
            except Failure as failure:
                raise Failure("%s: %s" % (case.program, failure)) from None
            if "not_applicable" not in hello:
                ready.append((target, Outcome(case, fixed, hello["ready"])))
        for target, _ in ready:
            target.go()
        yield ready


def judge(interpreter, programs, seconds, *options, system_wide=False):
    """Watches them for so long; an Outcome each. OPTIONS: of the tool."""
    with running(interpreter, programs) as ready:
        time.sleep(WARM_UP_S)
        outcomes = {outcome.pid: outcome for _, outcome in ready}
        whose = [] if system_wide else ["-p", ",".join(map(str, outcomes))]
        with Tool("--json", "-d", "1", *BUDGET, *options, *whose) as tool:
            begun, deadline = time.monotonic(), Deadline(seconds)
            while not deadline.passed():
                note(outcomes, tool.frame(Deadline(FRAME_S)), time.monotonic() - begun)
            if tool.stop() != 0:
                raise Failure("the tool did not end well: " + tool.stderr())
        for target, _ in ready:
            target.go()
        for target, outcome in ready:
            outcome.truth = target.truth(Deadline(60))
        return list(outcomes.values())


def note(outcomes, frame, now_s):
    """One frame of the tool, into the outcomes."""
    for outcome in outcomes.values():
        if outcome.attached_s is None and watches(outcome.pid)(frame):
            outcome.attached_s = now_s
    for finding in frame["findings"]:
        outcome = outcomes.get(finding["pid"])
        if outcome is not None:
            note_finding(outcome, finding, now_s)
    for site in frame["sites"]:
        outcome = outcomes.get(site["pid"])
        if outcome is not None and (site["outstanding"] or 0) >= 5:
            row = [site[key] for key in ("kind", "coroutine", "outstanding", "verdict")]
            outcome.series.append([round(now_s, 1), *row])


def note_finding(outcome, finding, now_s):
    key = (finding["kind"], finding["coroutine"])
    if finding["severity"] != "leak":
        outcome.warnings.setdefault(key, (now_s, finding))
        return
    said = verdict_on(outcome.case, finding, outcome.case.program + ".py") if outcome.leaks else "wrong"
    if said == "right":
        outcome.finding = finding
        if outcome.found_s is None:
            outcome.found_s = max(0, now_s - max(outcome.attached_s, outcome.case.begins_s - WARM_UP_S))
    elif said == "misplaced" and outcome.misplaced_s is None:
        outcome.misplaced_s, outcome.finding = now_s, outcome.finding or finding
    elif said in ("also", "wrong"):
        getattr(outcome, said).setdefault(key, (now_s, finding))
