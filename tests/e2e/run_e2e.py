#!/usr/bin/env python3
"""Scenario x interpreter: what the tool counts must equal what the program itself counted.

    run_e2e.py [--scenario NAME] [--interpreter NAME] [--list]

Writes TAP. Needs root and a kernel with BPF; without them it exits 77 (skipped), but a tool that cannot attach
where it could is a failure. ASYNCLEAK_TOP names the program, ASYNCLEAK_FLEET the folder of fleet.sh.
"""

import argparse
import collections
import os
import sys
import unittest
from dataclasses import dataclass

import interpreters
from compare import differences, stack_differences
from processes import FRAME_S, PROJECT, SCENARIOS, TOOL, Channel, Deadline, Failure, Target, Tool, process_row, watches

DELAY = "0.5"
SKIPPED = 77  # tests/e2e/CMakeLists.txt: SKIP_RETURN_CODE


@dataclass(frozen=True)
class Scenario:
    """modes: how the tool is started. pid: -p PID; system: no PID; run: it starts the target."""

    modes: tuple = ("pid",)
    work_s: float = 20  # until the target reports its truth
    settle_s: float = 10  # until the counts are equal to it


SCENARIOS_BY_NAME = {
    "lifecycle": Scenario(modes=("pid", "system", "run")),
    "threads": Scenario(),
    "fork": Scenario(modes=("system", "run")),
    "churn": Scenario(work_s=180),
    "million": Scenario(work_s=120),
    "subinterpreters": Scenario(),
    "with_uvloop": Scenario(),
    "reinit": Scenario(),
    "never_awaited": Scenario(modes=("pid", "system", "run"), work_s=60),
    "exec": Scenario(modes=("pid", "system")),
    "exit": Scenario(modes=("system",)),
}


class NotApplicable(Exception):
    pass


def unawaited_differences(frame, truth):
    """Coroutines destroyed without having been awaited: by name in the findings, all of them in the process's row."""
    lines = []
    for process in truth["processes"]:
        if "never_awaited" not in process:
            continue
        seen = collections.Counter()
        for finding in frame["findings"]:
            if finding["pid"] == process["pid"] and finding["kind"] == "never-awaited":
                seen[finding["coroutine"]] += int(finding["why"].split()[0])
        row = process_row(frame, process["pid"]) or {}
        expected = dict(process["never_awaited"])
        if seen != expected or row.get("never_awaited") != sum(expected.values()):
            lines.append("never awaited: the tool says %r, %r; true %r" % (row.get("never_awaited"), seen, expected))
    return lines


def check_counts(tool, truth, deadline):
    """Reads frames until they equal the truth; one more must say the same. Returns that one."""
    agreed = 0
    while agreed < 2:
        frame = tool.frame(Deadline(FRAME_S))
        problems = differences(frame, truth) + unawaited_differences(frame, truth)
        agreed = 0 if problems else agreed + 1
        if problems and deadline.passed():
            raise Failure("the counts are not the truth:\n" + "\n".join(problems))
    dropped = frame["probes"]["dropped_total"]
    if dropped:
        raise Failure("%s events dropped" % dropped)
    problems = stack_differences(frame, truth)
    if problems:
        raise Failure("creation stacks:\n" + "\n".join(problems))
    return frame


def check_exited(tool, pid, scenario):
    """A process that ended takes its tasks along: no row of it says that something is outstanding."""

    def gone(frame):
        return process_row(frame, pid) is None and not any(
            site["outstanding"] for site in frame["sites"] if site["pid"] == pid
        )

    tool.frame_where(gone, "process %d gone" % pid, Deadline(scenario.settle_s))


def watch_running(name, scenario, mode, interpreter, folder):
    """The target is there first, stands still until the tool has attached, then works."""
    with Target(interpreter, "%s/%s.py" % (folder, name)) as target:
        hello = target.ready(Deadline(20))
        if "not_applicable" in hello:
            raise NotApplicable(hello["not_applicable"])
        pid = hello["ready"]
        which = ("-p", str(pid)) if mode == "pid" else ()
        with Tool("--json", "-d", DELAY, *which) as tool:
            tool.frame_where(watches(pid), "process %d attached" % pid, Deadline(10))
            target.go()
            truth = target.truth(Deadline(scenario.work_s))
            check_counts(tool, truth, Deadline(scenario.settle_s))
            if name == "exit":
                target.leave()
                check_exited(tool, pid, scenario)
            status = tool.stop()
            if status != 0:
                raise Failure("the tool's status after SIGTERM is %d; stderr: %s" % (status, tool.stderr()))
        if name != "exit" and target.leave() != 0:
            raise Failure("the target did not end well after having been watched")


def watch_started(name, scenario, interpreter, folder):
    """The tool starts the target. One it can name beforehand is watched from its first task on, without a word
    between them; one behind a shell and a chroot is found when it maps its interpreter."""
    target_in, test_out = os.pipe()
    test_in, target_out = os.pipe()
    command = interpreter.argv("%s/%s.py" % (folder, name))
    environment = dict(os.environ, ASYNCLEAK_E2E_FDS="%d,%d" % (target_in, target_out), PYTHONDONTWRITEBYTECODE="1")
    wrapper = ("sh", "-c", 'exec "$@"', "sh") if interpreter.root else ()
    options = ("run", "--json", "-d", DELAY, "--fail-on", "never", "--", *wrapper, *command)
    try:
        with Tool(*options, pass_fds=(target_in, target_out), env=environment) as tool:
            os.close(target_in)
            os.close(target_out)
            channel = Channel(test_in, test_out)
            hello = channel.say_or_fail(Deadline(20))
            if "not_applicable" in hello:
                raise NotApplicable(hello["not_applicable"])
            if interpreter.root:
                tool.frame_where(watches(hello["ready"]), "process %d attached" % hello["ready"], Deadline(10))
            channel.go()
            truth = channel.say_or_fail(Deadline(scenario.work_s))
            frame = check_counts(tool, truth, Deadline(scenario.settle_s))
            coverage = process_row(frame, hello["ready"])["coverage"]["tasks"]
            if not interpreter.root and coverage != "exact":
                raise Failure("started by the tool, yet its coverage is %s" % coverage)
            channel.go()
            status = tool.end(Deadline(20))
            if status != 0:
                raise Failure("run's status is %d, its command's 0; stderr: %s" % (status, tool.stderr()))
    finally:  # end of file: the target ends, whatever became of the tool
        os.close(test_in)
        os.close(test_out)


def run_case(name, mode, interpreter):
    scenario = SCENARIOS_BY_NAME[name]
    with interpreter.place(SCENARIOS) as folder:
        if mode == "run":
            watch_started(name, scenario, interpreter, folder)
        else:
            watch_running(name, scenario, mode, interpreter, folder)


def cases(options):
    for name, scenario in SCENARIOS_BY_NAME.items():
        if options.scenario in (None, name):
            for mode in scenario.modes:
                for interpreter in interpreters.all_interpreters():
                    if options.interpreter in (None, interpreter.name):
                        yield name, mode, interpreter


def no_fleet():
    return "no fleet: run tests/e2e/fleet.sh" if interpreters.missing() else None


def run_tests(*reasons):
    """unittest.main() of the script that calls; without root, BPF, or where one of REASONS is not None, SKIPPED."""
    for reason in (reason_to_skip(), *reasons):
        if reason:
            print("SKIP:", reason)
            sys.exit(SKIPPED)
    unittest.main()


def reason_to_skip():
    if os.geteuid() != 0:
        return "needs root: uprobes"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF (/sys/kernel/btf/vmlinux)"
    return None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", choices=SCENARIOS_BY_NAME)
    parser.add_argument("--interpreter", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="the cases, without running them")
    return parser.parse_args()


def main():
    options = arguments()
    todo = list(cases(options))
    if options.list:
        for name, mode, interpreter in todo:
            print(name, mode, interpreter.name)
        return 0
    skip = reason_to_skip()
    if skip:
        print("1..0 # SKIP", skip)
        return SKIPPED
    if not os.path.exists(TOOL):
        print("Bail out! %s is not there: build it first (make, in %s)" % (TOOL, PROJECT))
        return 1
    missing = [] if options.interpreter else interpreters.missing()
    if missing or not todo:
        print("Bail out! no %s: run tests/e2e/fleet.sh" % (", ".join(missing) or options.interpreter))
        return 1
    print("1..%d" % len(todo), flush=True)
    failed = 0
    for number, (name, mode, interpreter) in enumerate(todo, 1):
        title = "%d - %s %s %s" % (number, name, mode, interpreter.name)
        try:
            run_case(name, mode, interpreter)
            print("ok", title, flush=True)
        except NotApplicable as reason:
            print("ok %s # SKIP %s" % (title, reason), flush=True)
        except Failure as failure:
            failed += 1
            print("not ok", title)
            print("\n".join("  # " + line for line in str(failure).splitlines()), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
