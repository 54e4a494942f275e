#!/usr/bin/env python3
"""Three machines, their services under load, Debian's Prometheus with our rules: who is alerted of what, and when.

    test_fleet_alerts.py [-v]      unittest's own options; needs root, else it exits 77 (skipped).
                                    About three minutes, asleep.

A machine is a textfile directory, a node_exporter, and a copy of the tool that watches the services of that machine
only, by their names: all run on one kernel. Each has a service that leaks and one that does not.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "deploy"))

import dashboard
import interpreters
from monitoring import Alertmanager, NodeExporter, Prometheus, Receiver
from processes import HERE, TOOL, Deadline, Failure, LineReader, stop
from run_e2e import run_tests

SERVICES = os.path.join(HERE, "services")
INTERVAL_S = 5  # of scraping and of the rules
ALERT_S = 60  # from the first leaked task to the alert at its receiver
HEALTHY_S = 15  # of load before the leaks begin: the tool knows the services by then
RESOLVED_S = 60 + 4 * INTERVAL_S  # an alert looks back for a minute
STALE_S = 60 + 60 + 4 * INTERVAL_S  # sixty seconds old, for a minute

# One of the tools counts bytes, too.
OPTIONS = {"a": ("--memory", "malloc"), "b": (), "c": ()}

# (service, interpreter, framework, leaked tasks a second, what leaks). The first letter is the machine.
LEAKING = (
    ("a-checkout", "machine", "aiohttp", 1, "Orders.follow"),
    ("b-feed", "machine", "fastapi", 3, "Feed.push"),
    ("c-relay", "debian-3.13", "streams", 1, "Relay.pump"),
)
HEALTHY = (
    ("a-search", "debian-3.14", "streams"),
    ("b-mails", "machine", "aiohttp"),
    ("c-stock", "machine", "fastapi"),
)


class Service:
    """A program and its customers. Its name is that of its interpreter's link, so that /proc has it as comm."""

    def __init__(self, place, interpreter, name, kind, follows, *options):
        self.name = name
        link = os.path.join(interpreter.root + place, name)
        if not os.path.lexists(link):
            os.symlink(interpreter.executable, link)
        prefix = ["chroot", interpreter.root] if interpreter.root else []
        argv = [*prefix, os.path.join(place, name), os.path.join(place, "shop.py"), kind, *options]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe)
        self._reader = LineReader(self.process.stdout.fileno())
        port = self.hear(Deadline(60))["port"]
        argv = ["/usr/bin/python3", os.path.join(SERVICES, "customers.py"), str(port), str(follows), str(HEALTHY_S)]
        self._customers = subprocess.Popen(argv, stdin=pipe)

    def hear(self, deadline):
        try:
            line = self._reader.line(deadline)
        except TimeoutError:
            line = None
        if line is None:
            raise Failure("%s said nothing in time" % self.name)
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for process in (self._customers, self.process):
            process.stdin.close()
            process.wait(10)
        self._reader.close()
        self.process.stdout.close()


class Machine:
    """What runs beside the services: the tool, and node_exporter that reads its file."""

    def __init__(self, stack, folder, letter):
        self.name = "host-" + letter
        self._folder, self._stack, self._letter = folder, stack, letter
        textfiles = os.path.join(folder, self.name)
        os.mkdir(textfiles)
        self.file = os.path.join(textfiles, "asyncleak.prom")
        self.exporter = stack.enter_context(NodeExporter(folder, self.name, textfiles))
        self.start_tool()

    def start_tool(self):
        options = ["-c", self._letter + "-*", *OPTIONS[self._letter], "--prom-textfile", self.file]
        with open(os.path.join(self._folder, self.name + ".tool.log"), "ab") as log:
            nothing = subprocess.DEVNULL
            self.tool = subprocess.Popen([TOOL, "--batch", *options], stdin=nothing, stdout=nothing, stderr=log)
        self._stack.callback(lambda tool=self.tool: stop(tool) if tool.poll() is None else None)

    def kill_tool(self):
        self.tool.kill()
        self.tool.wait()

    def text(self):
        try:
            with open(self.file) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def leak_in_file(self):
        return re.search(r'^asyncleak_findings\{.*severity="leak"', self.text(), re.MULTILINE)


class Fleet:
    def __init__(self, stack):
        self._stack = stack
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="asyncleak-fleet-"))
        self._interpreters = {each.name: each for each in interpreters.all_interpreters()}
        self._places = {
            name: stack.enter_context(self._interpreters[name].place(SERVICES))
            for name in sorted({name for _, name, *_ in LEAKING + HEALTHY})
        }
        self.receiver = stack.enter_context(Receiver())
        self.machines = {letter: Machine(stack, folder, letter) for letter in "abc"}
        alertmanager = stack.enter_context(Alertmanager(folder, self.receiver))
        targets = {machine.name: machine.exporter.port for machine in self.machines.values()}
        self.prometheus = stack.enter_context(Prometheus(folder, targets, alertmanager, INTERVAL_S))
        for server in (*(machine.exporter for machine in self.machines.values()), alertmanager, self.prometheus):
            server.wait_ready()

    def start(self, name, interpreter, kind, follows, *options):
        place, interpreter = self._places[interpreter], self._interpreters[interpreter]
        return self._stack.enter_context(Service(place, interpreter, name, kind, follows, *options))

    def machine_of(self, service):
        return self.machines[service[0]]


class EndToEnd(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.fleet = Fleet(stack)

    def test_story(self):
        fleet, receiver = self.fleet, self.fleet.receiver
        for name, interpreter, kind in HEALTHY:
            fleet.start(name, interpreter, kind, 1, "fixed")
        leaking = {name: fleet.start(name, *rest[:3]) for name, *rest in LEAKING}
        self.alerts_come_in_time(leaking)
        self.worst_coroutine_is_named()
        self.rules_and_dashboard_use_what_there_is()

        # One machine's tool dies; its file stays. The others get the fixed version.
        fleet.machines["c"].kill_tool()
        killed = Deadline(STALE_S)
        for name, interpreter, kind, follows, _ in LEAKING[:2]:
            leaking[name].stop()
            fleet.start(name, interpreter, kind, follows, "fixed")
        deployed, begun = Deadline(RESOLVED_S), time.time()
        for name, *_, coroutine in LEAKING[:2]:
            labels = {"alertname": "AsyncioLeak", "service": name, "coroutine": coroutine}
            when, _ = receiver.wait(deployed, "resolved", **labels)
            print("%-10s resolved %.0f s after the fix was deployed" % (name, when - begun))
        stale = {"alertname": "AsyncleakExporterStale", "instance": "host-c"}
        when, _ = receiver.wait(killed, "firing", **stale)
        print("%-10s stale %.0f s after kill -9" % ("host-c", when - begun))
        fleet.machines["c"].start_tool()
        receiver.wait(Deadline(6 * INTERVAL_S), "resolved", **stale)
        self.nothing_else_fired()

    def alerts_come_in_time(self, leaking):
        fleet = self.fleet
        begins, in_file = {}, {}
        for name, service in leaking.items():
            begins[name] = service.hear(Deadline(HEALTHY_S + 30))["leaks_since"]
        while len(in_file) < len(LEAKING):
            for name in set(begins) - set(in_file):
                if fleet.machine_of(name).leak_in_file():
                    in_file[name] = time.time()
                self.assertLess(time.time() - begins[name], ALERT_S, "%s: not even in the text file" % name)
            time.sleep(0.2)
        for name, *_, coroutine in LEAKING:
            wanted = {"alertname": "AsyncioLeak", "service": name, "coroutine": coroutine}
            when, alert = fleet.receiver.wait(Deadline(ALERT_S), "firing", **wanted)
            print(
                "%-10s leak in the file after %.1f s, alert after %.1f s: %s"
                % (name, in_file[name] - begins[name], when - begins[name], alert["annotations"]["summary"])
            )
            self.assertLessEqual(when - begins[name], ALERT_S, name)
            self.assertEqual(alert["labels"]["instance"], fleet.machine_of(name).name)
            self.assertRegex(alert["labels"]["site"], r"^shop\.py:\d+#[0-9a-f]+$")
            self.assertRegex(alert["annotations"]["summary"], r"\(shop\.py:\d+\)$")
            self.assertIn("pid %d" % leaking[name].process.pid, alert["annotations"]["description"])

    def worst_coroutine_is_named(self):
        ((labels, value),) = self.fleet.prometheus.query("topk(1, asyncleak:fleet:leak_per_minute)")
        self.assertEqual((labels["service"], labels["coroutine"]), ("b-feed", "Feed.push"))
        self.assertAlmostEqual(value, 180, delta=40)
        tasks = {labels["service"]: value for labels, value in self.fleet.prometheus.query("asyncleak:service:tasks")}
        self.assertEqual(set(tasks), {name for name, *_ in LEAKING + HEALTHY})

    def rules_and_dashboard_use_what_there_is(self):
        text = "".join(machine.text() for machine in self.fleet.machines.values())
        metrics = set(re.findall(r"^(asyncleak_\w+)", text, re.MULTILINE))
        labels = set(re.findall(r'[{,](\w+)="', text)) | {"job", "instance", "service"}
        board = dashboard.load()
        used = dashboard.expressions(board)
        used += [(rule.get("record") or rule.get("alert"), rule["expr"]) for rule in dashboard.rules()]
        for where, expression in used:
            named = {name for name in dashboard.metrics(expression) if ":" not in name}
            self.assertLessEqual(named, metrics, where)
            self.assertLessEqual(dashboard.labels(expression), labels, where)
        self.assertEqual(len(self.fleet.prometheus.query("up * on (job, instance) node_textfile_scrape_error")), 3)
        for where, expression in dashboard.expressions(board):
            series = self.fleet.prometheus.query(dashboard.asked(expression))
            self.assertEqual(bool(series), not where.startswith("panel Events lost"), "%s: %s" % (where, expression))

    def nothing_else_fired(self):
        wanted = {("AsyncioLeak", name, coroutine) for name, *_, coroutine in LEAKING}
        wanted.add(("AsyncleakExporterStale", None, None))
        fired = self.fleet.prometheus.query('count_over_time(ALERTS{alertstate="firing"}[15m])')
        names = {(each["alertname"], each.get("service"), each.get("coroutine")) for each, _ in fired}
        self.assertEqual(names, wanted, fired)


if __name__ == "__main__":
    run_tests()
