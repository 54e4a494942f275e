"""The truth of a scenario: which tasks it made, which are gone, which are left.

Used by every scenario; speaks to the test over two descriptors (stdin and stdout, or the pair named by
ASYNCLEAK_E2E_FDS, where stdout belongs to somebody else). Knows nothing of the tool under test.

Three independent counts must agree before a truth is reported: what was made (counted where it is made),
what is gone (weak reference callbacks), and what is there (a census of the collector's lists).
"""

import asyncio
import collections
import gc
import json
import os
import sys
import threading
import weakref


def _streams():
    fds = os.environ.get("ASYNCLEAK_E2E_FDS")
    if fds is None:
        return sys.stdin, sys.stdout
    source, sink = (int(fd) for fd in fds.split(","))
    return os.fdopen(source, "r", closefd=False), os.fdopen(sink, "w", closefd=False)


_source, _sink = _streams()


def say(document):
    _sink.write(json.dumps(document) + "\n")
    _sink.flush()


def wait_for_go():
    """Blocks until the test lets the scenario go on; end of file means that the test is over."""
    if not _source.readline():
        sys.exit(0)


def ready():
    say({"ready": os.getpid(), "python": sys.version.split()[0]})
    wait_for_go()


def not_applicable(reason):
    say({"not_applicable": reason})
    sys.exit(0)


def barrier(*processes):
    """Reports the truth of these processes (default: none but this one) and stands still meanwhile."""
    say({"processes": list(processes)})
    wait_for_go()


class Ledger:
    def __init__(self):
        self._lock = threading.RLock()  # a collection can run the callbacks inside made()
        self._created = collections.Counter()
        self._destroyed = collections.Counter()
        self._inherited = collections.Counter()
        self._sites = collections.Counter()
        self._names = {}  # id of a live task -> its coroutine's qualified name
        self._watchers = set()

    def made(self, task, name=None, line=None):
        """Counts a task. Call it on the line that creates the task: that is the line expected on its stack.

        line=0: the task was not created on this line, expect nothing.
        """
        name = name or task.get_coro().__qualname__
        line = sys._getframe(1).f_lineno if line is None else line
        with self._lock:
            self._created[name] += 1
            if line:
                self._sites[name, line] += 1
            self._watch(task, name)
        return task

    def _watch(self, task, name):
        key = id(task)

        def gone(reference):
            with self._lock:
                self._destroyed[name] += 1
                self._names.pop(key, None)
                self._watchers.discard(reference)

        self._names[key] = name
        self._watchers.add(weakref.ref(task, gone))

    def note(self, name, created, destroyed=None):
        """Tasks nobody could watch: those asyncio makes for itself, those too many to watch each.

        destroyed: default all of them.
        """
        with self._lock:
            self._created[name] += created
            self._destroyed[name] += created if destroyed is None else destroyed

    def forked(self):
        """In the child: what is outstanding was inherited, the rest is the parent's history."""
        outstanding = self._outstanding()
        self._created.clear()
        self._destroyed.clear()
        self._sites.clear()
        self._inherited = outstanding

    def _outstanding(self):
        counts = collections.Counter(self._created)
        counts.update(self._inherited)
        counts.subtract(self._destroyed)
        return +counts

    def _census(self):
        found = collections.Counter()
        for thing in gc.get_objects():
            if asyncio.Task in type(thing).__mro__:
                found[self._names.get(id(thing)) or thing.get_coro().__qualname__] += 1
        return found

    def truth(self, **more):
        with self._lock:
            outstanding, found = self._outstanding(), self._census()
            if outstanding != found:
                raise AssertionError("the ledger says %r, the collector %r" % (dict(outstanding), dict(found)))
            names = set(self._created) | set(self._inherited)
            tasks = {
                name: {
                    "created": self._created[name],
                    "destroyed": self._destroyed[name],
                    "outstanding": outstanding[name],
                    "preexisting": self._inherited[name],
                }
                for name in sorted(names)
            }
            sites = [
                {"coroutine": name, "line": line, "created": count} for (name, line), count in self._sites.items()
            ]
        return dict({"pid": os.getpid(), "file": sys.argv[0], "tasks": tasks, "sites": sites}, **more)


ledger = Ledger()


def quiet(loop):
    """Tasks are lost on purpose here: keep asyncio's complaints about them off stderr."""
    loop.set_exception_handler(lambda loop, context: None)
    return loop


def run(loop, coroutine):
    """run_until_complete with a task the ledger knows."""
    task = ledger.made(loop.create_task(coroutine), line=0)
    return loop.run_until_complete(task)
