#!/usr/bin/env python3
"""The corpus (tests/cases): leaks are named within half a minute, containers a little later, and nothing else ever is.

    test_judgement.py [-v]    unittest's own options; needs root, else it exits 77 (skipped), and the packages of
                              tools/install-packages test, else it fails with their names. About four minutes.
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cases"))

import interpreters
import judge
from corpus import HEALTHY, LEAKING, MEMORY, OF_HINTS, PROGRAMS
from run_e2e import run_tests

FOUND_WITHIN_S = 30
# A container has a row once it has grown for some looks, and is judged from then on: docs/judgement.md has the figures.
CONTAINER_FOUND_WITHIN_S = 42
MISSED = 1  # executor_backlog: whether a queue whose head moves ever drains takes longer to see
ATTACH_S = 10  # to forty-five processes
LEAKING_S = ATTACH_S + CONTAINER_FOUND_WITHIN_S + max(case.begins_s for case in LEAKING)
HEALTHY_S = int(os.environ.get("ASYNCLEAK_HEALTHY_SECONDS", "150"))


def machine():
    return next(each for each in interpreters.all_interpreters() if each.name == "machine")


def found_within_s(case):
    return CONTAINER_FOUND_WITHIN_S if MEMORY in case.kinds else FOUND_WITHIN_S


def sentence(moment_and_finding):
    when, finding = moment_and_finding
    return "after %.0f s: %s %s: %s" % (when, finding["kind"], finding["coroutine"], finding["why"])


class Judgement(unittest.TestCase):
    def judged(self, programs, seconds):
        missing = judge.missing_packages([case for case, _ in programs])
        self.assertEqual(missing, [], "packages are missing: tools/install-packages test")
        outcomes = judge.judge(machine(), programs, seconds)
        refuted = ["%s: %s" % (each.name, each.refuted()) for each in outcomes if each.refuted()]
        self.assertEqual(refuted, [], "programs that are not what their label says")
        self.assertEqual(len(outcomes), len(programs), "programs that did not apply")
        return outcomes

    def none(self, problems, what):
        if problems:
            self.fail("%d of these: %s\n%s" % (len(problems), what, "\n".join(problems)))

    def test_leaks_are_found(self):
        outcomes = self.judged([(case, False) for case in LEAKING], LEAKING_S)
        wrong = ["%s %s" % (each.name, sentence(found)) for each in outcomes for found in each.wrong.values()]
        late = [
            "%s: %s" % (each.name, "not found" if each.found_s is None else "found after %.0f s" % each.found_s)
            for each in outcomes
            if each.found_s is None or each.found_s > found_within_s(each.case)
        ]
        if len(late) > MISSED:
            self.none(late, "leaks not named in time")
        self.none(wrong, "leaks named that are none, or are not the cause")

    def test_healthy_programs_and_twins_are_left_alone(self):
        programs = [(case, False) for case in HEALTHY] + [(case, True) for case in LEAKING]
        outcomes = self.judged(programs, HEALTHY_S)
        alarms = ["%s %s" % (each.name, sentence(found)) for each in outcomes for found in each.wrong.values()]
        self.none(alarms, "false alarms")


class Corpus(unittest.TestCase):
    def test_it_is_the_size_it_is_said_to_be_and_names_every_program(self):
        named = sorted(case.program for case in (*LEAKING, *HEALTHY))
        shared = {"service", "peers", "servers", *OF_HINTS}
        there = sorted(set(name[:-3] for name in os.listdir(PROGRAMS) if name.endswith(".py")) - shared)
        self.assertEqual(named, there)
        self.assertGreaterEqual(len(LEAKING), 24)
        self.assertGreaterEqual(len(HEALTHY), 16)


if __name__ == "__main__":
    run_tests()
