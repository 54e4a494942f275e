"""What the census must show of some leaking programs of tests/cases, and how small the row stays in the twin.

Used by test_census.py. The file, the line and the count come from the program itself, when it is at rest.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    program: str
    kind: str  # of the site; "queue" has no site, it is a row of `inspect`
    name: str  # coroutine, callback, protocol or type
    count: str  # the column of the site that is the truth's count
    twin_limit: int  # at no time more than so many of the kind in the twin, of whatever name
    holder: tuple = ()  # what a task's holder must be called by; empty: nobody has to be named
    rate: int = 50  # operations a second


PATTERNS = (
    Pattern("background_task", "task", "Session.heartbeat", "pending", 10, ("set", "background_tasks")),
    Pattern("done_list", "task", "job", "done", 10, ("list", "history")),
    Pattern("cancel_swallowed", "task", "poll", "pending", 10),
    Pattern("shield_orphan", "task", "fetch", "pending", 10),
    Pattern("asyncgen_half", "asyncgen", "Table.cursor", "outstanding", 5),
    Pattern("coroutine_kept", "coroutine", "send_mail", "outstanding", 5),
    Pattern("timer_cycle", "timer", "Cache.refresh", "outstanding", 150),
    Pattern("listeners", "task", "Client.listen", "pending", 10, ("list", "listeners", "Emitter")),
    Pattern("unbounded_queue", "queue", "asyncio.queues.Queue", "length", 20),
    Pattern("stuck_websockets", "task", "WebSocketServerProtocol.handler", "pending", 200,
            ("handler_task", "WebSocketServerProtocol"), rate=10),  # fmt: skip
    Pattern("subprocess_abandoned", "transport", "SubprocessStreamProtocol", "outstanding", 6, rate=4),
)
