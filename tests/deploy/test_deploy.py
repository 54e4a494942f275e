#!/usr/bin/env python3
"""The rules, the dashboard and the manifests in deploy/, by the tools that will read them.

    test_deploy.py [-v] [TEST...]      unittest's own options; $ASYNCLEAK_TOP: the program (build/asyncleak-top)

Needs promtool and python3-yaml: tools/install-packages test.
"""

import glob
import json
import os
import re
import subprocess
import tempfile
import unittest

import dashboard
import yaml

PROJECT = os.path.dirname(dashboard.DEPLOY)


def promtool(*arguments):
    run = subprocess.run(["promtool", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return run.returncode, run.stdout


class Rules(unittest.TestCase):
    def test_promtool_takes_them(self):
        status, said = promtool("check", "rules", dashboard.RULES)
        self.assertEqual(status, 0, said)

    def test_they_do_what_they_promise(self):
        status, said = promtool("test", "rules", os.path.join(dashboard.DEPLOY, "prometheus", "rules_test.yml"))
        self.assertEqual(status, 0, said)

    def test_each_alert_is_tried_and_says_what_to_do(self):
        with open(os.path.join(dashboard.DEPLOY, "prometheus", "rules_test.yml")) as file:
            tests = [test for each in yaml.safe_load(file)["tests"] for test in each.get("alert_rule_test", ())]
        fires = {test["alertname"] for test in tests if test["exp_alerts"]}
        is_silent = {test["alertname"] for test in tests if not test["exp_alerts"]}
        with open(os.path.join(PROJECT, "docs", "fleet.md")) as file:
            headings = re.findall(r"^#+ (\w+)$", file.read(), re.MULTILINE)
        alerts = [rule for rule in dashboard.rules() if "alert" in rule]
        self.assertTrue(alerts)
        for rule in alerts:
            self.assertIn(rule["alert"], fires)
            self.assertIn(rule["alert"], is_silent)
            self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
            self.assertEqual(set(rule["annotations"]), {"summary", "description", "runbook"})
            self.assertEqual(rule["annotations"]["runbook"], "docs/fleet.md#" + rule["alert"].lower())
            self.assertIn(rule["alert"], headings)


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.board = dashboard.load()

    def test_panels_have_places_of_their_own(self):
        ids = [panel["id"] for panel in self.board["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        taken = {}
        for panel in self.board["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for cell in ((x, y) for x in range(place["w"]) for y in range(place["h"])):
                cell = (place["x"] + cell[0], place["y"] + cell[1])
                self.assertNotIn(cell, taken, "%s is on %s" % (panel["title"], taken.get(cell)))
                taken[cell] = panel["title"]

    def test_panels_explain_themselves(self):
        titles = [panel["title"] for panel in self.board["panels"]]
        self.assertEqual(len(titles), len(set(titles)))
        for panel in dashboard.panels(self.board):
            self.assertTrue(panel["description"].endswith("."), panel["title"])
            self.assertTrue(panel["fieldConfig"]["defaults"]["unit"], panel["title"])
            references = [target["refId"] for target in panel["targets"]]
            self.assertEqual(references, [chr(ord("A") + n) for n in range(len(references))], panel["title"])

    def test_no_data_source_of_ours_is_in_it(self):
        sources = re.findall(r'"uid": "([^"]+)"', json.dumps(self.board))
        self.assertEqual(set(sources), {"${datasource}", "asyncleak-top"})
        defined = {each["name"] for each in self.board["templating"]["list"]}
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(self.board))) - {"__rate_interval", "__all"}
        self.assertEqual(used, defined)

    def test_expressions_are_promql(self):
        expressions = [dashboard.asked(text) for _, text in dashboard.expressions(self.board)]
        rules = [{"record": "x:%d" % number, "expr": text} for number, text in enumerate(expressions)]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            status, said = promtool("check", "rules", file.name)
        self.assertEqual(status, 0, said)

    def test_recorded_series_exist(self):
        recorded = {rule["record"] for rule in dashboard.rules() if "record" in rule}
        used = {name for _, text in dashboard.expressions(self.board) for name in dashboard.metrics(text) if ":" in name}
        used |= {name for rule in dashboard.rules() for name in dashboard.metrics(rule["expr"]) if ":" in name}
        self.assertLessEqual(used, recorded)

    def test_provisioning_points_at_it(self):
        files = glob.glob(os.path.join(dashboard.DEPLOY, "grafana", "provisioning", "*", "*.yml"))
        self.assertEqual(len(files), 2)
        for name in files:
            with open(name) as file:
                self.assertEqual(yaml.safe_load(file)["apiVersion"], 1, name)


class Kubernetes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(dashboard.DEPLOY, "kubernetes", "daemonset.yaml")) as file:
            cls.namespace, cls.daemonset = yaml.safe_load_all(file)
        cls.pod = cls.daemonset["spec"]["template"]["spec"]
        (cls.container,) = cls.pod["containers"]

    def test_labels_and_names_fit(self):
        labels = self.daemonset["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(self.daemonset["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual(self.daemonset["metadata"]["namespace"], self.namespace["metadata"]["name"])
        mounted = {mount["name"] for mount in self.container["volumeMounts"]}
        self.assertEqual({volume["name"] for volume in self.pod["volumes"]}, mounted)

    def test_it_has_the_capabilities_of_the_unit_and_no_other_power(self):
        security = self.container["securityContext"]
        with open(os.path.join(dashboard.DEPLOY, "systemd", "asyncleak-top.service")) as file:
            unit = re.search(r"^AmbientCapabilities=(.*)$", file.read(), re.MULTILINE).group(1).split()
        self.assertEqual({"CAP_" + name for name in security["capabilities"]["add"]}, set(unit))
        self.assertEqual(security["capabilities"]["drop"], ["ALL"])
        self.assertIs(security["privileged"], False)
        self.assertIs(security["allowPrivilegeEscalation"], False)
        self.assertIs(security["readOnlyRootFilesystem"], True)
        self.assertTrue(self.pod["hostPID"])
        self.assertFalse(self.pod.get("hostNetwork") or self.pod.get("hostIPC"))

    def test_the_program_has_the_options(self):
        program = os.environ.get("ASYNCLEAK_TOP", os.path.join(PROJECT, "build", "asyncleak-top"))
        described = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
        for option in (text for text in self.container["args"] if text.startswith("-")):
            self.assertRegex(described, r"(?m)^  (-\w,)?%s\b" % option)
        (mount,) = self.container["volumeMounts"]
        (written,) = (text for text in self.container["args"] if text.endswith(".prom"))
        self.assertEqual(os.path.dirname(written), mount["mountPath"])


if __name__ == "__main__":
    unittest.main()
