"""The labelled corpus: which programs of programs/ leak, what a tool has to name there, which of them are healthy.

Used by judge.py. Labels come from the programs: what each of them does by construction, and counts itself, never from
what a tool says of it. In a leaking program `PROGRAM fixed` is the corrected twin, healthy as the healthy ones are.
"""

import os
import zlib
from dataclasses import dataclass
from fnmatch import fnmatchcase

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs")

TASK, DONE, CANCEL = "task-leak", "done-held", "cancel-ignored"
COROUTINE, ASYNCGEN, TIMER, TRANSPORT = "coroutine-leak", "asyncgen-leak", "timer-leak", "transport-leak"
MEMORY = "memory-growth"

AIOHTTP, HTTPX, REDIS, WEBSOCKETS = "python3-aiohttp", "python3-httpx", "python3-redis", "python3-websockets"
UVICORN, FASTAPI = "python3-uvicorn", "python3-fastapi"


@dataclass(frozen=True)
class Case:
    program: str
    kinds: tuple = ()  # of finding, any of them; empty: the program is healthy
    names: tuple = ()  # patterns of what leaks, any of them
    limit: int = 20  # healthy, and twin: never more of what the program counts; leaking: more in the end
    pattern: str = ""  # the hint that belongs to it; empty: none
    placed: bool = True  # a frame of the finding is in the program's own file
    also: tuple = ()  # "KIND NAME" patterns: what grows because of it, not wrong to name and not enough
    packages: tuple = ()
    begins_s: float = 0  # after so much load

    @property
    def leaks(self):
        return bool(self.kinds)

    @property
    def half(self):
        """Thresholds are tuned on one half and figures reported of the other; nobody chose which is which."""
        return "tune" if zlib.crc32(self.program.encode()) % 2 else "report"

    @property
    def path(self):
        return os.path.join(PROGRAMS, self.program + ".py")


SLEEP_TIMER = "timer-leak *_set_result_unless_cancelled"  # of each task in asyncio.sleep()
SOCKET = "transport-leak *"
CONNECTION = "* WebSocket*Protocol.*"  # websockets: the tasks and timers of each
RUN_LOOP = ("_run_once", "run_forever")
ALWAYS = MEMORY + " *"  # of a table or a queue in which the leak is kept, too

LEAKING = (
    # Tasks that nobody ends.
    Case("background_task", (TASK,), ("Session.heartbeat",), pattern="task-kept", also=(SLEEP_TIMER,)),
    Case("heartbeat_tcp", (TASK,), ("Gateway.heartbeat",), also=(SLEEP_TIMER, SOCKET), begins_s=12),
    Case("cancel_swallowed", (CANCEL, TASK), ("poll",), pattern="cancel-swallowed", also=(SLEEP_TIMER,)),
    Case("shield_orphan", (TASK,), ("fetch",), pattern="shield-orphan"),
    Case("listeners", (TASK,), ("Client.listen",), pattern="listener-kept"),
    Case("first_completed", (TASK,), ("Event.wait",), pattern="wait-loser"),
    Case("hedged_read", (TASK,), ("Replica.read",), pattern="wait-loser"),
    Case("as_completed_left", (TASK,), ("fetch",), pattern="as-completed-left"),
    Case("gather_siblings", (TASK,), ("ask",), pattern="gather-orphan"),
    Case("reconnect_task", (TASK,), ("Feed.read_forever",)),
    Case("crossed_locks", (TASK,), ("transfer",), pattern="deadlock"),
    Case("lock_not_released", (TASK,), ("book",), begins_s=10),
    Case("executor_backlog", (TASK,), ("thumbnail",)),
    # Finished tasks that somebody keeps.
    Case("done_list", (DONE,), ("job",), pattern="done-kept"),
    # The errors in the list keep them.
    Case("failed_jobs", (DONE, MEMORY), ("convert", "list `failures` *"), limit=100, placed=False),
    Case("job_status", (DONE,), ("Jobs.run",), pattern="done-kept"),
    # No tasks at all.
    Case("asyncgen_half", (ASYNCGEN,), ("Table.cursor",), pattern="asyncgen-not-closed"),
    Case("paged_cursors", (ASYNCGEN,), ("Report.pages",), pattern="asyncgen-not-closed"),
    Case("coroutine_kept", (COROUTINE,), ("send_mail",)),
    Case("retry_later", (COROUTINE,), ("Outbox.deliver",)),
    Case("timer_cycle", (TIMER,), ("Cache.refresh",), limit=150, pattern="timer-rearmed"),
    Case("poll_rearmed", (TIMER,), ("Settings.poll",), limit=3, pattern="timer-rearmed"),
    Case("session_expiry", (TIMER,), ("SessionStore.expire",)),
    Case("writer_not_closed", (TRANSPORT,), ("StreamReaderProtocol",), placed=False, also=(DONE + " greet",)),
    Case("health_probe", (TRANSPORT,), ("StreamReaderProtocol",), placed=False),
    Case("subprocess_abandoned", (TRANSPORT,), ("SubprocessStreamProtocol",), limit=6, placed=False,
         pattern="subprocess-not-waited", also=(SOCKET,)),  # fmt: skip
    Case("converter_timeout", (TRANSPORT,), ("SubprocessStreamProtocol",), limit=6, placed=False,
         pattern="subprocess-not-waited", also=(SOCKET,)),  # fmt: skip
    # Bytes.
    Case("unbounded_queue", (MEMORY,), ("*`queue`*",), placed=False, pattern="queue-unbounded", limit=25),
    Case("subscriber_queues", (MEMORY,), ("*`subscribers`*", "*Queue*"), placed=False, pattern="listener-kept"),
    Case("user_locks", (MEMORY,), ("*`locks`*",), placed=False),
    Case("pending_replies", (MEMORY,), ("*`pending`*",), placed=False),
    Case("write_without_drain", (MEMORY, TRANSPORT), ("StreamReaderProtocol",), placed=False, limit=1 << 19),
    # Libraries.
    Case("stuck_websockets", (TASK,), ("WebSocketServerProtocol.*",), packages=(WEBSOCKETS,), limit=100,
         also=(SOCKET, CONNECTION)),  # fmt: skip
    Case("websockets_reconnect", (TASK, TRANSPORT), ("WebSocketCommonProtocol.*", "WebSocketClientProtocol"), limit=5,
         placed=False, packages=(WEBSOCKETS,), also=(SOCKET, CONNECTION, SLEEP_TIMER)),  # fmt: skip
    Case("aiohttp_sessions", (TRANSPORT,), ("ResponseHandler",), placed=False, packages=(AIOHTTP,),
         also=("timer-leak *",)),  # fmt: skip
    Case("aiohttp_responses", (TRANSPORT,), ("ResponseHandler",), placed=False, packages=(AIOHTTP,),
         also=("timer-leak *", DONE + " ClientRequest.write_bytes")),  # fmt: skip
    Case("aiohttp_jobs", (TASK,), ("poll_job",), pattern="task-kept", limit=30, packages=(AIOHTTP,),
         also=(SLEEP_TIMER,)),  # fmt: skip
    Case("aiohttp_websockets", (TASK,), ("RequestHandler.*",), packages=(AIOHTTP,), also=(SOCKET,)),
    Case("fastapi_tasks", (TASK,), ("refresh",), packages=(FASTAPI, UVICORN), also=(SLEEP_TIMER,)),
    Case("fastapi_websockets", (TASK,), ("WebSocketProtocol.*",), packages=(FASTAPI, UVICORN, WEBSOCKETS),
         also=(SOCKET, CONNECTION)),  # fmt: skip
    Case("starlette_events", (TASK,), ("RequestResponseCycle.run_asgi", "*TaskGroup*", "*StreamingResponse*"),
         packages=(FASTAPI, UVICORN), also=(SOCKET, ASYNCGEN + " new_orders")),  # fmt: skip
    Case("starlette_background", (TASK,), ("RequestResponseCycle.run_asgi",), packages=(FASTAPI, UVICORN),
         also=(SOCKET,)),  # fmt: skip
    Case("redis_listeners", (TASK,), ("Session.listen",), packages=(REDIS, "redis-server"),
         also=(SOCKET, ASYNCGEN + " PubSub.listen"), pattern="listener-kept"),  # fmt: skip
    Case("redis_clients", (TRANSPORT,), ("StreamReaderProtocol",), placed=False, packages=(REDIS, "redis-server")),
    Case("httpx_streams", (TRANSPORT,), ("StreamProtocol",), placed=False, packages=(HTTPX,),
         also=(ASYNCGEN + " *",)),  # fmt: skip
)

HEALTHY = (
    Case("worker_pool", limit=20),
    Case("worker_replaced", limit=17),
    Case("request_churn", limit=600),
    Case("burst_drains", limit=320),
    Case("batch_sawtooth", limit=330),
    Case("startup_ramp", limit=120),
    Case("slow_warmup", limit=200),
    Case("result_cache", limit=210),
    Case("lock_cache", limit=101),
    Case("connection_storm", limit=130),
    Case("chat_rooms", limit=170),
    Case("long_timers", limit=340),
    Case("task_groups", limit=150),
    Case("keepalive_pool", limit=25),
    Case("backpressure", limit=50),
    Case("periodic_timers", limit=40),
    Case("idle_timeouts", limit=41),
    Case("load_cycle", limit=160),
    Case("uneven_jobs", limit=50),
    Case("read_generators", limit=15),
    Case("subprocess_service", limit=6),
    Case("websockets_chat", limit=32, packages=(WEBSOCKETS,)),
    Case("aiohttp_service", limit=30, packages=(AIOHTTP,)),
    Case("fastapi_service", limit=30, packages=(FASTAPI, UVICORN)),
    Case("redis_service", limit=5, packages=(REDIS, "redis-server")),
    Case("httpx_service", limit=10, packages=(HTTPX,)),
)

# Not judged: what test_hints.py runs, a pattern or a near miss of one by argument.
OF_HINTS = ("callbacks_kept", "deadlock", "left_behind")


def verdict_on(case, finding, program_file):
    """Of a finding of severity leak in a leaking program: "right", "also" or "wrong"."""
    kind, name = finding["kind"], finding["coroutine"] or ""
    if kind in case.kinds and any(fnmatchcase(name, each) for each in case.names):
        return "right" if not case.placed or program_file in places_of(finding) else "misplaced"
    label = "%s %s" % (kind, name)
    return "also" if any(fnmatchcase(label, each) for each in (ALWAYS, *case.also)) else "wrong"


def places_of(finding):
    """The base names of every file in which the finding says something is: created, waiting or defined."""
    frames = [*created_by(finding["created_at"] or []), *(finding.get("waiting_at") or [])]
    return {os.path.basename(each or "") for each in [finding["file"], *(frame["file"] for frame in frames)]}


def created_by(frames):
    """Without those that run the event loop: what a callback creates is not created by who called asyncio.run()."""
    functions = [frame["function"] for frame in frames]
    loop = [number for number, name in enumerate(functions) if name and name.split(".")[-1] in RUN_LOOP]
    return frames[: loop[0]] if loop else frames
