"""What the measurements share: workloads pinned to one CPU, watchers to another, medians, markdown.

Used by overhead.py, openloop.py and scale.py. Interpreters and the tool are those of tests/e2e.
"""

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys

BENCH = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(BENCH)
sys.path.insert(0, os.path.join(PROJECT, "tests", "e2e"))

import interpreters  # noqa: E402
from processes import Deadline, Tool, end, watches  # noqa: E402

FLOOR = os.environ.get("ASYNCLEAK_FLOOR", os.path.join(PROJECT, "build", "bench-floor"))
TARGET_CPU, TOOL_CPU = "1", "0"

# doctor's line for a probe: "task init  FILE+0x85f4 (entry 0x85f0, ...)"; the same for "task dealloc".
PLACE = re.compile(r"task (init|dealloc)\s+(\S+)\+0x([0-9a-f]+)\s+\(entry 0x([0-9a-f]+)")


def interpreter(name):
    found = [each for each in interpreters.all_interpreters() if each.name == name]
    if not found:
        sys.exit("no interpreter %s: see tests/e2e/run_e2e.py --list, tests/e2e/fleet.sh" % name)
    return found[0]


class Workload:
    """A workload of this folder in a process of its own, pinned, standing still until result()."""

    def __init__(self, python, folder, *arguments, options=(), environment=None):
        self.process = subprocess.Popen(
            ["taskset", "-c", TARGET_CPU, *python.argv(*options, "%s/%s" % (folder, arguments[0]), *arguments[1:])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # asyncio's debug mode is talkative
            env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **(environment or {})),
            text=True,
        )
        self.pid = int(self.process.stdout.readline().split()[1])

    def result(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


def on_tool_cpu():
    os.sched_setaffinity(0, {int(TOOL_CPU)})


@contextlib.contextmanager
def nothing(pid):
    yield


def asyncleak(*options):
    """A watcher: our program on one process, attached before the workload goes on."""

    @contextlib.contextmanager
    def watch(pid):
        with Tool("--json", "-d", "1", "-p", str(pid), *options, before=on_tool_cpu) as tool:
            tool.frame_where(watches(pid), "process %d attached" % pid, Deadline(10))
            yield

    return watch


@contextlib.contextmanager
def floor_programs(pid, places, *options):
    """bench-floor on (program, file, offset) of PLACES; the list it gives has what it printed once this has ended."""
    printed = []
    words = [word for program, file, offset in places for word in (program, file, "%x" % offset)]
    with subprocess.Popen(
        [FLOOR, *options, str(pid), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=on_tool_cpu,
    ) as process:
        if process.stdout.readline() != "ready\n":
            sys.exit("bench-floor could not attach")
        yield printed
        printed += process.communicate()[0].split()


def cpu_s(pid):
    """Of all threads there are, from the scheduler's sum in nanoseconds: ticks of 10 ms are too coarse."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, thread)) as file:
            total += int(file.read().split()[0])
    return total / 1e9


def floor(places):
    """A watcher: two programs that do one map update each, at (file, offset) of creation and destruction."""

    @contextlib.contextmanager
    def watch(pid):
        named = zip(("created", "destroyed"), places)
        with floor_programs(pid, [(name, file, offset) for name, (file, offset) in named]) as seen:
            yield
        if "0" in seen:
            sys.exit("bench-floor saw no task at %s: wrong places" % (places,))

    return watch


def places(python, pid):
    """Where our program probes this process, and the functions' entries: {"probe": [...], "entry": [...]}.

    Each is [(file, offset) of task init, the same of task dealloc].
    """
    tool = os.environ.get("ASYNCLEAK_TOP", os.path.join(PROJECT, "build", "asyncleak-top"))
    text = subprocess.run([tool, "doctor", str(pid)], capture_output=True, text=True).stdout
    found = {}
    for which, file, offset, entry in PLACE.findall(text):
        host_file = file if not python.root or file.startswith(python.root) else python.root + file
        found[which] = ((host_file, int(offset, 16)), (host_file, int(entry, 16)))
    if set(found) != {"init", "dealloc"}:
        sys.exit("doctor names no probe places for %s:\n%s" % (python.name, text))
    return {key: [found[which][index] for which in ("init", "dealloc")] for index, key in ((0, "probe"), (1, "entry"))}


def interleaved(rows, rounds, run):
    """{name: [run(row), one a round]} of ROWS, {name: row}: each in every round, in changing order."""
    names = list(rows)
    results = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            results[name].append(run(rows[name]))
            print(number, name, results[name][-1], file=sys.stderr, flush=True)
    return results


def spread(values, form="%.2f"):
    """median [min-max]"""
    if not values:
        return "-"
    return ("%s [%s-%s]" % (form, form, form)) % (statistics.median(values), min(values), max(values))


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
