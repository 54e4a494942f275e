"""deploy/grafana/asyncleak-top.json and deploy/prometheus/rules.yml as data: panels, expressions, the names they use.

Used by test_deploy.py, and by tests/e2e/test_fleet_alerts.py, which asks a real Prometheus.
"""

import json
import os
import re

import yaml

DEPLOY = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "deploy")
PATH = os.path.join(DEPLOY, "grafana", "asyncleak-top.json")
RULES = os.path.join(DEPLOY, "prometheus", "rules.yml")

# What Grafana puts in for its variables.
VARIABLES = {"$instance": ".*", "$service": ".*", "$__rate_interval": "1m", "${datasource}": "uid"}


def load():
    with open(PATH, encoding="utf-8") as file:
        return json.load(file)


def rules():
    with open(RULES, encoding="utf-8") as file:
        return [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(dashboard):
    """[(where, expression as in the file)]"""
    found = [("annotation " + each["name"], each["expr"]) for each in dashboard["annotations"]["list"]]
    for panel in panels(dashboard):
        found += [("panel %s, %s" % (panel["title"], target["refId"]), target["expr"]) for target in panel["targets"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            found.append(("variable " + variable["name"], "count by (%s) (%s)" % (label, selector)))
    return found


def asked(expression):
    """As Prometheus gets it."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def metrics(expression):
    return set(re.findall(r"\b(asyncleak[_:][a-z_:]+)", expression))


def labels(expression):
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', expression)
    lists = re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", text)
    matched = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"\"", text)
    return {name for each in lists for name in re.findall(r"\w+", each)} | set(matched)
