#!/usr/bin/env python3
"""Precision, recall and time to verdict on the corpus (tests/cases), printed and into docs/judgement.md.

    judgement.py [--healthy-seconds 600] [--leak-seconds 60] [--only GLOB] [--python NAME] [--no-write] ...

All leaking programs at once, then all healthy ones and the corrected twins at once, each time under one
asyncleak-top --json. Needs root, and the packages of tools/install-packages test.
"""

import argparse
import fnmatch
import json
import os
import statistics
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(PROJECT, "tests", "cases"))

import judge  # noqa: E402
from corpus import HEALTHY, LEAKING  # noqa: E402

import interpreters  # noqa: E402
from processes import Failure  # noqa: E402
from run_e2e import reason_to_skip  # noqa: E402

PAGE = os.path.join(PROJECT, "docs", "judgement.md")
HALVES = ("tune", "report")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--healthy-seconds", type=float, default=600, help="0: no healthy ones")
    parser.add_argument("--leak-seconds", type=float, default=60, help="0: no leaking ones")
    parser.add_argument("--only", metavar="GLOB", default="*", help="these programs; the page is left as it is")
    parser.add_argument("--python", metavar="NAME", default="machine", help="tests/e2e/run_e2e.py --list knows them")
    parser.add_argument("--system-wide", action="store_true", help="let the tool watch everything")
    parser.add_argument("--record", metavar="FILE", help="keep the tool's recording: FILE-leaking, FILE-healthy")
    parser.add_argument("--details", metavar="FILE", help="one JSON line for each program")
    parser.add_argument("--no-write", action="store_true", help="leave docs/judgement.md as it is")
    return parser.parse_args()


def rounds(options):
    """(name, programs, seconds) of the two rounds."""
    wanted = lambda case: fnmatch.fnmatchcase(case.program, options.only)  # noqa: E731
    leaking = [(case, False) for case in LEAKING if wanted(case)]
    healthy = [(case, False) for case in HEALTHY if wanted(case)] + [(case, True) for case, _ in leaking]
    named = (("leaking", leaking, options.leak_seconds), ("healthy", healthy, options.healthy_seconds))
    return [each for each in named if each[1] and each[2] > 0]


def seconds(value):
    return "-" if value is None else "%.0f s" % value


def share(part, whole):
    return "-" if whole == 0 else "%.1f %%" % (100 * part / whole)


def figures(outcomes):
    """A row of the table: of some of the outcomes."""
    leaking = [each for each in outcomes if each.leaks]
    healthy = [each for each in outcomes if not each.leaks]
    found = [each.found_s for each in leaking if each.found_s is not None]
    named = sum(len(each.wrong) for each in outcomes)
    return [
        "%d" % len(leaking),
        share(len(found), len(leaking)),
        seconds(statistics.median(found)) if found else "-",
        seconds(max(found)) if found else "-",
        "%d" % sum(len(each.wrong) for each in leaking),
        "%d" % len(healthy),
        "%d" % sum(bool(each.wrong) for each in healthy),
        share(len(found), len(found) + named),
    ]


def summary(outcomes):
    heads = ("half", "leaking", "recall", "verdict: median", "worst", "wrongly named there", "healthy, twins",
             "false alarms", "precision")  # fmt: skip
    lines = ["| %s |" % " | ".join(heads), "|---" * len(heads) + "|"]
    for half in (*HALVES, "both"):
        some = [each for each in outcomes if half in (each.case.half, "both")]
        lines.append("| %s | %s |" % (half, " | ".join(figures(some))))
    return lines


def hints(outcomes):
    """One sentence on the patterns that were recognised."""
    named = [(each.case.pattern, (each.finding or {}).get("pattern") or "") for each in outcomes if each.leaks]
    wanted = [given for wanted, given in named if wanted]
    right = sum(wanted == given != "" for wanted, given in named)
    other = sum(given not in ("", wanted) for wanted, given in named)
    sentence = "Hints: %d of %d patterns recognised; %d of another pattern, or where there is none."
    return ["", sentence % (right, len(wanted), other)]


def by_program(outcomes):
    lines = ["", "| leaking program | half | named after | as | hint | also named |", "|---|---|---|---|---|---|"]
    for each in outcomes:
        if each.leaks:
            finding = each.finding or {}
            named = "`%s` %s" % (finding["coroutine"], finding["kind"]) if each.finding else "-"
            more = ", ".join("%s `%s`" % key for key in [*each.also, *each.wrong])
            cells = (each.name, each.case.half, seconds(each.found_s), named, finding.get("pattern") or "", more)
            lines.append("| %s |" % " | ".join(cells))
    for each in outcomes:
        if not each.leaks and each.wrong:
            named = ", ".join("%s `%s` after %.0f s" % (*key, when) for key, (when, _) in each.wrong.items())
            lines += ["", "False alarm in %s (%s): %s" % (each.name, each.case.half, named)]
    return lines


def say(outcome):
    """For reading: a line for the program, and one for each finding."""
    refuted = outcome.refuted()
    found = "found after %s" % seconds(outcome.found_s) if outcome.leaks else "healthy"
    print("%s (%s): %s; counts %r%s" % (outcome.name, outcome.case.half, found, outcome.truth["counts"],
                                       "; NOT AS LABELLED: " + refuted if refuted else ""))  # fmt: skip
    if outcome.misplaced_s is not None:
        print("    after %.0f s without a place in the program" % outcome.misplaced_s)
    if outcome.finding:
        finding = outcome.finding
        wanted = outcome.case.pattern
        print("    %(kind)s %(coroutine)s: %(why)s" % finding)
        print("    pattern %s (wanted: %s): %s" % (finding.get("pattern"), wanted or "none", finding.get("hint")))
    for what in ("wrong", "also", "warnings"):
        for (kind, coroutine), (when, finding) in getattr(outcome, what).items():
            print("    %s after %.0f s: %s %s: %s" % (what, when, kind, coroutine, finding["why"]))


def details(outcome):
    fields = {key: value for key, value in vars(outcome).items() if key != "case"}
    for what in ("wrong", "also", "warnings"):
        fields[what] = [[when, finding] for when, finding in fields[what].values()]
    return {"program": outcome.name, "leaks": outcome.leaks, "half": outcome.case.half, **fields}


def write(lines, command):
    begin, end = "<!-- corpus:begin (%s) -->" % command, "<!-- corpus:end -->"
    with open(PAGE) as file:
        page = file.read()
    before, rest = page.split("<!-- corpus:begin", 1)
    with open(PAGE, "w") as file:
        file.write("\n".join([before + begin, "", *lines, "", end]) + rest.split(end, 1)[1])


def main():
    options = arguments()
    skip = reason_to_skip()
    if skip:
        sys.exit(skip)
    found = [each for each in interpreters.all_interpreters() if each.name == options.python]
    if not found:
        sys.exit("no interpreter %s: see tests/e2e/run_e2e.py --list" % options.python)
    missing = judge.missing_packages([*LEAKING, *HEALTHY]) if options.python == "machine" else []
    if missing:
        sys.exit("packages are missing: %s (tools/install-packages test)" % " ".join(missing))
    outcomes = []
    for name, programs, how_long in rounds(options):
        recording = ["--record", "%s-%s" % (options.record, name)] if options.record else []
        print("%s: %d programs for %.0f s" % (name, len(programs), how_long), file=sys.stderr)
        outcomes += judge.judge(found[0], programs, how_long, *recording, system_wide=options.system_wide)
    for outcome in outcomes:
        say(outcome)
    if options.details:
        with open(options.details, "w") as file:
            file.writelines(json.dumps(details(each)) + "\n" for each in outcomes)
    lines = summary(outcomes) + hints(outcomes) + by_program(outcomes)
    print("\n" + "\n".join(lines))
    if not options.no_write and options.only == "*":
        write(lines, "bench/judgement.py --healthy-seconds %.0f" % options.healthy_seconds)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("judgement.py: %s" % failure)
