"""Debian's prometheus, prometheus-node-exporter and prometheus-alertmanager on loopback, and who gets the alerts.

Used by test_fleet_alerts.py and test_fleet_doc.py. Knows the servers, nothing of the tool but where the rules are.
"""

import http.server
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from processes import PROJECT, Deadline, Failure, stop

HOST = "127.0.0.1"
RULES = os.path.join(PROJECT, "deploy", "prometheus", "rules.yml")
UP_S = 60


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def write(folder, name, document):
    """JSON is YAML."""
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        json.dump(document, file, indent=1)
    return path


class Server:
    """A program that serves HTTP on a port of ours, and its log."""

    def __init__(self, folder, name, *argv, ready="/-/ready"):
        self.port = free_port()
        self.url = "http://%s:%d" % (HOST, self.port)
        self._log = os.path.join(folder, name + ".log")
        arguments = [argument.replace("{listen}", "%s:%d" % (HOST, self.port)) for argument in argv]
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._ready = ready

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process, seconds=30)

    def log(self):
        with open(self._log, errors="replace") as file:
            return file.read()[-3000:]

    def get(self, path, **query):
        with urllib.request.urlopen(self.url + path + ("?" + urllib.parse.urlencode(query) if query else "")) as answer:
            return answer.read().decode()

    def wait_ready(self):
        deadline = Deadline(UP_S)
        while not deadline.passed() and self.process.poll() is None:
            try:
                return self.get(self._ready)
            except OSError:
                time.sleep(0.1)
        raise Failure("%s is not up: %s" % (self.process.args[0], self.log()))


class NodeExporter(Server):
    def __init__(self, folder, name, textfiles):
        super().__init__(
            folder,
            name,
            "prometheus-node-exporter",
            "--web.listen-address={listen}",
            "--collector.disable-defaults",
            "--collector.textfile",
            "--collector.textfile.directory=" + textfiles,
            ready="/metrics",
        )


class Alertmanager(Server):
    """Sends what begins and what ends to a Receiver."""

    def __init__(self, folder, receiver):
        config = {
            "route": {
                "receiver": "test",
                "group_by": ["alertname", "instance", "service"],
                "group_wait": "1s",
                "group_interval": "5s",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "test", "webhook_configs": [{"url": receiver.url, "send_resolved": True}]}],
        }
        super().__init__(
            folder,
            "alertmanager",
            "prometheus-alertmanager",
            "--config.file=" + write(folder, "alertmanager.yml", config),
            "--web.listen-address={listen}",
            "--storage.path=" + os.path.join(folder, "alertmanager"),
            "--cluster.listen-address=",
        )


class Prometheus(Server):
    """TARGETS: {instance: port}. Scrapes and evaluates every INTERVAL_S seconds."""

    def __init__(self, folder, targets, alertmanager, interval_s):
        interval = "%ds" % interval_s
        addresses = [
            {"targets": ["%s:%d" % (HOST, port)], "labels": {"instance": name}} for name, port in targets.items()
        ]
        config = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [RULES],
            "scrape_configs": [{"job_name": "node", "static_configs": addresses}],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": ["%s:%d" % (HOST, alertmanager.port)]}]}],
            },
        }
        super().__init__(
            folder,
            "prometheus",
            "prometheus",
            "--config.file=" + write(folder, "prometheus.yml", config),
            "--web.listen-address={listen}",
            "--storage.tsdb.path=" + os.path.join(folder, "prometheus"),
            "--log.level=warn",
        )

    def ask(self, path, **query):
        try:
            answer = json.loads(self.get(path, **query))
        except urllib.error.HTTPError as error:
            raise Failure("%s %r: %s" % (path, query, error.read().decode())) from None
        if answer["status"] != "success" or answer.get("warnings"):
            raise Failure("%s %r: %s" % (path, query, answer))
        return answer["data"]

    def query(self, expression):
        """[(labels, value)]"""
        result = self.ask("/api/v1/query", query=expression)["result"]
        return [(each["metric"], float(each["value"][1])) for each in result]


class Receiver:
    """A webhook of Alertmanager: [(Unix time, alert)], as they come."""

    def __init__(self):
        self.heard = []
        self._news = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver._take(document["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.HTTPServer((HOST, 0), Handler)
        self.url = "http://%s:%d/" % self._server.server_address

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _take(self, alerts):
        with self._news:
            self.heard += [(time.time(), alert) for alert in alerts]
            self._news.notify_all()

    def find(self, status, **labels):
        for when, alert in self.heard:
            if alert["status"] == status and labels.items() <= alert["labels"].items():
                return when, alert
        return None

    def wait(self, deadline, status, **labels):
        """(when, alert): the first that has this status ("firing", "resolved") and these labels."""
        with self._news:
            if not self._news.wait_for(lambda: self.find(status, **labels), deadline.left()):
                heard = [(alert["status"], alert["labels"]) for _, alert in self.heard]
                raise Failure("no alert %s %r in time; heard: %s" % (status, labels, heard))
            return self.find(status, **labels)
