#!/usr/bin/env python3
"""census_compare.py and census_frames.py: equal documents pass, and each wrong number is named. Needs no root."""

import copy
import unittest

from census_compare import holder_differences, inspect_differences, short
from census_frames import frame_differences, outstanding_differences, row_differences

FILE = "/app/app.py"
PLACE = {"file": FILE, "line": 10}
CHAIN = [{"function": "Pool.get", "file": FILE, "line": 7}, {"function": "worker", "file": FILE, "line": 12}]
GAUGES = {"running": True, "ready": 2, "timers": 5, "timers_cancelled": 1, "transports": 1, "asyncgens": 4, "executor_queue": None}
QUEUE = {"type": "asyncio.queues.Queue", "length": 12, "maxsize": 0, "getters": 0, "putters": 0}
LOCAL = {"frame": "worker", "name": "cache", "type": "list", "length": 100, "bytes": 10_000}
NAMED = dict(
    PLACE,
    address="0x10", name="Task-1", state="pending", cancel_requested=False, coroutine="worker",
    waiting_for={"type": "_asyncio.Future", "address": "0x20"}, await_chain=CHAIN,
    awaited_by=[{"how": "gather", "task": "main"}], result=None,
    locals=[LOCAL], held_bytes=10_000, holders=[["set", "tasks"]],
)  # fmt: skip
TRUTH = {
    "pid": 7, "file": FILE, "python": [3, 11],
    "tasks": [dict(PLACE, coroutine="worker", outstanding=2, pending=1, finished=1, failed=0, cancelled=0,
                   cancel_requested=0)],
    "named": [NAMED],
    "coroutines": [dict(PLACE, coroutine="send", count=3)],
    "asyncgens": [dict(PLACE, coroutine="rows", count=4)],
    "timers": [dict(PLACE, callback="tick", count=3)], "timers_cancelled": 2,
    "ready": [{"callback": "tick", "count": 1}, {"callback": None, "count": 1}],
    "transports": [{"type": "asyncio.t._SocketTransport", "protocol": "app.Echo", "peer": "127.0.0.1:80", "count": 1,
                    "write_buffer_bytes": 500}],
    "queues": [QUEUE], "waits": [{"type": "asyncio.locks.Lock", "waiters": 6}], "loops": [GAUGES],
}  # fmt: skip
TASK = dict(NAMED, held_bytes=10_200, held_at_least=False, holders=["set `tasks` of module app (2 items)"],
            awaited_by=[{"how": "gather", "task": "main", "callback": None}])  # fmt: skip
DOCUMENT = {
    "schema": "asyncleak-inspect/1", "process": {"pid": 7},
    "census": {"objects": 1, "duration_ms": 1, "complete": True, "reasons": []},
    "tasks_total": 2, "tasks": [TASK, dict(TASK, address="0x11", state="finished")],
    "coroutines": TRUTH["coroutines"], "asyncgens": TRUTH["asyncgens"],
    "timers": [dict(PLACE, callback="tick", count=3, cancelled=0),
               {"callback": None, "file": None, "line": None, "count": 2, "cancelled": 2}],
    "ready": [{"callback": "tick", "count": 1}, {"callback": "step of worker", "count": 1}],
    "transports": [{"type": "_SocketTransport", "protocol": "Echo", "peer": "127.0.0.1:80", "sock": "127.0.0.1:9",
                    "count": 1, "write_buffer_bytes": 500}],
    "queues": [QUEUE], "waits": TRUTH["waits"], "loops": [dict(GAUGES, kind="asyncio", executor_queue=0)],
}  # fmt: skip


def changed(document, path, value):
    document = copy.deepcopy(document)
    *way, last = path
    place = document
    for step in way:
        place = place[step]
    place[last] = value
    return document


class Inspect(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(inspect_differences(DOCUMENT, TRUTH), [])

    def test_each_wrong_number_is_named(self):
        for path, value, named in (
            (("process", "pid"), 8, "process.pid"),
            (("census", "complete"), False, "not complete"),
            (("tasks_total",), 3, "tasks_total is 3, true 2"),
            (("tasks", 1, "state"), "pending", "worker/pending: 2, true 1"),
            (("tasks", 1, "cancel_requested"), True, "worker/cancel requested: 1, true 0"),
            (("tasks", 1, "line"), 11, "where worker is"),
            (("tasks", 0, "name"), "Task-2", "task Task-1: name is 'Task-2'"),
            (("tasks", 0, "waiting_for"), None, "waiting_for"),
            (("tasks", 0, "waiting_for", "address"), "0x21", "waiting_for"),
            (("tasks", 0, "await_chain", 0, "line"), 8, "await chain is Pool.get /app/app.py:8"),
            (("tasks", 0, "await_chain", 0, "function"), "get", "await chain is get"),
            (("tasks", 0, "await_chain"), CHAIN[:1], "await chain"),
            (("tasks", 0, "awaited_by"), [], "awaited_by is []"),
            (("tasks", 0, "awaited_by", 0, "how"), "wait", "awaited_by"),
            (("tasks", 0, "locals"), [], "local cache of worker: 0 of them"),
            (("tasks", 0, "locals", 0, "length"), 99, "local cache of worker is ('list', 99)"),
            (("tasks", 0, "locals", 0, "bytes"), 9_400, "9400 bytes, true 10000"),
            (("tasks", 0, "held_bytes"), 20_000, "holds 20000 bytes"),
            (("tasks", 0, "held_at_least"), True, "lower bound"),
            (("tasks", 0, "holders"), [], "no holder with set, tasks"),
            (("tasks", 0, "address"), "0x12", "task Task-1: not there (0x10)"),
            (("coroutines",), [], "coroutines send/"),
            (("asyncgens", 0, "count"), 5, "5, true 4"),
            (("timers", 0, "count"), 2, "timers tick/"),
            (("timers", 1, "cancelled"), 1, "cancelled timers is 1, true 2"),
            (("ready", 1, "count"), 2, "steps of tasks that are ready is 2, true 1"),
            (("transports", 0, "peer"), None, "transports' count"),
            (("transports", 0, "write_buffer_bytes"), 499, "transports' write_buffer_bytes"),
            (("queues", 0, "length"), 11, "queues"),
            (("waits", 0, "waiters"), 5, "waiters on Lock: 5, true 6"),
            (("loops", 0, "ready"), 1, "loops"),
            (("loops", 0, "executor_queue"), 1, "loops"),
        ):
            with self.subTest(path=path):
                problems = inspect_differences(changed(DOCUMENT, path, value), TRUTH)
                self.assertTrue(any(named in each for each in problems), problems)

    def test_names_of_old_frames_are_short(self):
        document = changed(DOCUMENT, ("tasks", 0, "await_chain", 0, "function"), "get")
        self.assertEqual(inspect_differences(document, dict(TRUTH, python=[3, 10])), [])

    def test_all_of_a_row_is_cancelled(self):
        self.assertEqual(inspect_differences(changed(DOCUMENT, ("timers", 1, "cancelled"), True), TRUTH), [])

    def test_holders(self):
        self.assertEqual(holder_differences(TASK, ["set", "tasks", "app"]), [])
        self.assertEqual(len(holder_differences(TASK, ["list"])), 1)

    def test_short(self):
        self.assertEqual((short("a.b.C"), short("C"), short(None)), ("C", "C", None))


def site(kind, coroutine, outstanding, **more):
    return dict({"pid": 7, "kind": kind, "coroutine": coroutine, "outstanding": outstanding, **PLACE}, **more)


FRAME = {
    "processes": [{"pid": 7, "tasks": {"outstanding": 2}, "loops": [dict(GAUGES, kind="asyncio")]}],
    "sites": [
        site("task", "worker", 2, pending=1, done=1, preexisting=2, waiting_at=CHAIN),
        site("coroutine", "send", 3),
        site("asyncgen", "rows", 4),
        site("timer", "tick", 3),
        site("timer", "?", 2),
        site("transport", "app.Echo", 1),
        dict(site("task", "worker", 9, pending=9, done=0, waiting_at=None), pid=8),
    ],
}


class Frame(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(frame_differences(FRAME, TRUTH), [])

    def test_each_wrong_number_is_named(self):
        for path, value, named in (
            (("sites", 0, "done"), None, "done was not observed"),
            (("sites", 0, "pending"), 2, "worker/pending: 2, true 1"),
            (("sites", 0, "waiting_at"), None, "await chain"),
            (("sites", 1, "outstanding"), 4, "coroutine sites send: 4, true 3"),
            (("sites", 2, "kind"), "task", "asyncgen sites rows: 0, true 4"),
            (("sites", 4, "outstanding"), 1, "timer sites of no callback is 1, true 2"),
            (("sites", 5, "coroutine"), "Other", "transport sites Other: 1, true 0"),
            (("processes", 0, "loops"), [], "loops"),
            (("processes", 0, "pid"), 9, "process 7 is not in the frame"),
        ):
            with self.subTest(path=path):
                frame = changed(changed(FRAME, ("sites", 2, "pending"), 0), ("sites", 2, "done"), 0)
                frame["sites"][2]["waiting_at"] = None
                problems = frame_differences(changed(frame, path, value), TRUTH)
                self.assertTrue(any(named in each for each in problems), problems)

    def test_outstanding(self):
        process = {"pid": 7, "tasks": {"worker": {"outstanding": 2, "preexisting": 2}, "churned": {"outstanding": 0}}}
        self.assertEqual(outstanding_differences(FRAME, process), [])
        problems = outstanding_differences(changed(FRAME, ("sites", 0, "outstanding"), 3), process)
        self.assertEqual(problems, ["outstanding of worker is 3, true 2"])

    def test_row_of_a_leak(self):
        class Pattern:
            count = "pending"

        row = dict(PLACE, kind="task", name="worker", count=1)
        self.assertEqual(row_differences(FRAME, 7, Pattern, row), [])
        self.assertEqual(row_differences(FRAME, 7, Pattern, dict(row, count=5)), ["pending of worker is 1, true 5"])
        self.assertEqual(row_differences(FRAME, 7, Pattern, dict(row, name="gone")), ["no task site gone"])
        self.assertEqual(len(row_differences(FRAME, 7, Pattern, dict(row, line=99))), 1)
        row = {"kind": "transport", "name": "Echo", "count": 1, "file": None, "line": None}
        Pattern.count = "outstanding"
        self.assertEqual(row_differences(FRAME, 7, Pattern, row), [])


if __name__ == "__main__":
    unittest.main()
