#!/usr/bin/env python3
"""What users run: a fastapi service on uvicorn under wrk, and the metrics through Prometheus' own tools.

    test_world.py [-v] [TEST...]    unittest's own options; needs root and the packages of tools/install-packages test,
                                    else it exits 77 (skipped)
"""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from interpreters import Interpreter
from processes import FRAME_S, SCENARIOS, Deadline, LineReader, Target, Tool, end, process_row, watches
from run_e2e import run_tests

HOST = Interpreter("machine", sys.version_info[:2], "/usr/bin/python3")  # where Debian's packages are
CYCLE = "RequestResponseCycle.run_asgi"  # uvicorn/protocols/http/httptools_impl.py: one task a request
LEAK = "forgotten"
NEEDED = ("wrk", "promtool", "prometheus-node-exporter")


class Service(Target):
    """scenarios/web_service.py, serving."""

    def __init__(self, loop):
        super().__init__(HOST, SCENARIOS + "/web_service.py", loop)

    def __enter__(self):
        hello = self.ready(Deadline(20))
        self.pid = hello["ready"]
        self.url = "http://127.0.0.1:%d" % hello["port"]
        return self

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def under_wrk(self, seconds):
        """Full load; how many answers wrk has counted."""
        command = ["wrk", "-t1", "-c16", "-d%ds" % seconds, self.url + "/"]
        report = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 20).stdout
        assert "Non-2xx" not in report and "Socket errors" not in report, report
        return int(re.search(r"(\d+) requests in", report)[1])


def sums(frame, pid):
    """Coroutine -> (created, destroyed, outstanding) of all its sites of tasks."""
    totals = collections.defaultdict(lambda: [0, 0, 0])
    for site in frame["sites"]:
        if site["pid"] == pid and site["kind"] == "task":
            for i, field in enumerate(("created_total", "destroyed_total", "outstanding")):
                totals[site["coroutine"]][i] += site[field]
    return {coroutine: tuple(each) for coroutine, each in totals.items()}


class UnderLoad(unittest.TestCase):
    def check(self, loop):
        with Service(loop) as service, Tool("--json", "-d", "0.5", "-p", str(service.pid)) as tool:
            tool.frame_where(watches(service.pid), "attached", Deadline(10))
            counted = service.under_wrk(5)
            served = service.get("/served")
            requests = served + 1  # GET /served itself is one
            busiest = 0.0

            def settled(frame):
                nonlocal busiest
                self.assertEqual([each for each in frame["findings"] if each["severity"] == "leak"], [])
                for site in frame["sites"]:
                    self.assertNotIn(site["verdict"], ("growing", "leak"), site)
                    if site["coroutine"] == CYCLE:
                        busiest = max(busiest, site["created_per_s"] or 0)
                return sums(frame, service.pid).get(CYCLE) == (requests, requests, 0)

            frame = tool.frame_where(settled, "%d %s created and destroyed" % (requests, CYCLE), Deadline(10))
            self.assertAlmostEqual(served, counted, delta=0.01 * counted)  # wrk leaves the last 16 unread
            self.assertGreater(busiest, counted / 5 / 2)
            self.assertEqual(frame["probes"]["dropped_total"], 0)
            (site,) = [each for each in frame["sites"] if (each["kind"], each["coroutine"]) == ("task", CYCLE)]
            self.assertTrue(site["file"].endswith("uvicorn/protocols/http/httptools_impl.py"))
            self.assertIn("HttpToolsProtocol.on_headers_complete", [each["function"] for each in site["created_at"]])
            print("%s: %d requests by wrk, %d by the service, all counted; at most %.0f/s" %
                  (loop, counted, served, busiest), file=sys.stderr)  # fmt: skip
            self.assertEqual(tool.stop(), 0)

    def test_asyncio(self):
        self.check("asyncio")

    def test_uvloop(self):
        self.check("uvloop")


class Leak(unittest.TestCase):
    def first_row(self, tool):
        """The words of the first site in the next frame; none where it has no table yet."""
        row = []
        line = tool.line(Deadline(FRAME_S))
        while not line.startswith("asyncleak-top - "):
            if line.lstrip().startswith("PID "):
                row = tool.line(Deadline(FRAME_S)).split()
            line = tool.line(Deadline(FRAME_S))
        return row

    def check(self, loop):
        with Service(loop) as service, Tool("-b", "-d", "0.5", "-p", str(service.pid)) as tool:
            deadline = Deadline(40)
            row = self.first_row(tool)
            while not (LEAK in row and {"growing", "leak"} & set(row)):
                self.assertFalse(deadline.passed(), row)
                leaked = service.get("/leak")  # about two a second: one a frame
                row = self.first_row(tool)
            print("%s: %s named at the top %.1f s after the first, with %d leaked" %
                  (loop, LEAK, 40 - deadline.left(), leaked), file=sys.stderr)  # fmt: skip
            self.assertIn("web_service.py", " ".join(row))
            self.assertEqual(tool.stop(), 0)

    def test_asyncio(self):
        self.check("asyncio")

    def test_uvloop(self):
        self.check("uvloop")


class NodeExporter:
    """The real one, on a free port of loopback, with nothing but its textfile collector."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
             "--collector.textfile.directory=" + folder, "--web.listen-address=127.0.0.1:0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        reader = LineReader(self.process.stderr.fileno())
        line = ""
        while not (address := re.search(r"127\.0\.0\.1:[1-9]\d*", line)):
            line = reader.line(Deadline(10))
        reader.close()
        self.url = "http://%s/metrics" % address[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.process.stderr.close()

    def metrics(self):
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            return answer.read().decode()


def samples(text, name):
    """[(labels, value)] of one metric."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(re.escape(name) + r"(?:\{(.*)\})? (\S+)", line)
        if match:
            found.append((dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[1] or "")), float(match[2])))
    return found


def metric_sums(text, pid):
    """As sums(), from the metrics."""
    totals = collections.defaultdict(lambda: [0, 0, 0])
    for i, name in enumerate(("asyncleak_tasks_created_total", "asyncleak_tasks_destroyed_total", "asyncleak_tasks")):
        for labels, value in samples(text, name):
            if labels["pid"] == str(pid):
                totals[labels["coroutine"]][i] += int(value)
    return {coroutine: tuple(each) for coroutine, each in totals.items()}


class Prometheus(unittest.TestCase):
    def test_promtool_and_node_exporter_take_the_file(self):
        with tempfile.TemporaryDirectory() as folder, Service("uvloop") as service:
            path = os.path.join(folder, "asyncleak.prom")
            options = ("--json", "-d", "0.5", "-p", str(service.pid), "--prom-textfile", path)
            with Tool(*options) as tool, NodeExporter(folder) as exporter:
                tool.frame_where(watches(service.pid), "attached", Deadline(10))
                for _ in range(7):
                    service.get("/leak")
                wanted = (7, 0, 7)
                frame = tool.frame_where(
                    lambda each: sums(each, service.pid).get(LEAK) == wanted, "7 leaked tasks", Deadline(10)
                )
                # The file of a frame is there before the frame is printed, and nothing changes any more.
                with open(path) as file:
                    text = file.read()
                self.assertEqual(metric_sums(text, service.pid), sums(frame, service.pid))
                (resident,) = [value for labels, value in samples(text, "asyncleak_process_resident_bytes")]
                self.assertAlmostEqual(resident, process_row(frame, service.pid)["rss_bytes"], delta=1 << 20)

                judged = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
                self.assertEqual((judged.returncode, judged.stdout + judged.stderr), (0, ""))

                scraped = exporter.metrics()
                self.assertEqual(samples(scraped, "node_textfile_scrape_error"), [({}, 0)])
                self.assertEqual(metric_sums(scraped, service.pid), sums(frame, service.pid))

                self.assertEqual(tool.stop(), 0)
                self.assertEqual(os.listdir(folder), [])
                self.assertNotIn("asyncleak_", exporter.metrics())


def missing_packages():
    absent = [each for each in NEEDED if not shutil.which(each, path=os.environ["PATH"] + ":/usr/sbin")]
    imports = subprocess.run([HOST.executable, "-c", "import fastapi, httptools, uvicorn, uvloop"], capture_output=True)
    return absent + (["python3-fastapi python3-uvicorn python3-uvloop python3-httptools"] if imports.returncode else [])


if __name__ == "__main__":
    absent = missing_packages()
    run_tests(absent and "needs " + " ".join(absent))
