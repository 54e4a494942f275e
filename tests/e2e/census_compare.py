"""What the tool reads of a process at rest against what the process says of itself (scenarios/census_book.py).

Pure: a document of `inspect --json` or a frame of `--json`, and a truth, in; lines of difference out, none when equal.
"""

import collections

STATES = ("pending", "finished", "failed", "cancelled")
GAUGES = ("running", "ready", "timers", "timers_cancelled", "transports", "asyncgens")
MOST_OFF = 0.05  # of a size
SMALL_BYTES = 500  # nobody looks for a leak there: sizes below are not compared
OWN_BYTES = 2048  # of a task: itself, its coroutine and frame, which held_bytes may contain or not


def short(name):
    """A type by its own name: whether the module stands before it is the tool's taste."""
    return name.rpartition(".")[2] if name else name


def counters_differ(what, seen, true):
    return [
        "%s %s: %s, true %s" % (what, "/".join(map(str, key)) if isinstance(key, tuple) else key, seen[key], true[key])
        for key in sorted(set(seen) | set(true), key=repr)
        if seen[key] != true[key]
    ]


def counted(rows, *columns, by="count"):
    counter = collections.Counter()
    for row in rows:
        counter[tuple(row[column] for column in columns)] += row[by]
    return +counter


def values_differ(what, seen, true):
    return [] if seen == true else ["%s is %r, true %r" % (what, seen, true)]


def close(seen, true, more=0):
    return seen is not None and true * (1 - MOST_OFF) <= seen <= true * (1 + MOST_OFF) + more


def inspect_differences(document, truth):
    """Empty when `inspect` shows everything the program has, and nothing else."""
    lines = values_differ("schema", document["schema"], "asyncleak-inspect/1")
    lines += values_differ("process.pid", document["process"]["pid"], truth["pid"])
    census = document["census"]
    if not census["complete"] or census["reasons"]:
        lines.append("the census of a process at rest is not complete: %s" % census["reasons"])
    lines += task_differences(document, truth)
    for section in ("coroutines", "asyncgens"):
        columns = ("coroutine", "file", "line")
        lines += counters_differ(section, counted(document[section], *columns), counted(truth[section], *columns))
    lines += timer_differences(document["timers"], truth)
    lines += ready_differences(document["ready"], truth["ready"])
    lines += transport_differences(document["transports"], truth["transports"])
    lines += queue_differences(document, truth)
    lines += loop_differences(document["loops"], truth["loops"], GAUGES + ("executor_queue",))
    by_address = {task["address"]: task for task in document["tasks"]}
    for named in truth["named"]:
        lines += named_differences(by_address.get(named["address"]), named, tuple(truth["python"]))
    return lines


def task_differences(document, truth):
    seen, places = collections.Counter(), {}
    for task in document["tasks"]:
        seen[task["coroutine"], task["state"]] += 1
        seen[task["coroutine"], "cancel requested"] += bool(task["cancel_requested"])
        places.setdefault(task["coroutine"], set()).add((task["file"], task["line"]))
    true, lines = collections.Counter(), []
    for row in truth["tasks"]:
        name = row["coroutine"]
        true.update({(name, state): row[state] for state in STATES})
        true[name, "cancel requested"] = row["cancel_requested"]
        if name in places:
            lines += values_differ("where %s is" % name, places[name], {(row["file"], row["line"])})
    lines += counters_differ("tasks", +seen, +true)
    total = sum(row["outstanding"] for row in truth["tasks"])
    lines += values_differ("tasks_total", document["tasks_total"], total)
    return lines


def timer_differences(rows, truth):
    """A cancelled timer has forgotten its callback: Handle.cancel(), asyncio/events.py."""
    live, cancelled = collections.Counter(), 0
    for row in rows:
        gone = row["count"] if row["cancelled"] is True else int(row["cancelled"] or 0)
        cancelled += gone
        live[row["callback"], row["file"] or None, row["line"]] += row["count"] - gone
    true = counted(truth["timers"], "callback", "file", "line")
    return counters_differ("timers", +live, true) + values_differ(
        "cancelled timers", cancelled, truth["timers_cancelled"]
    )


def ready_differences(rows, true_rows):
    """Steps of tasks (callback None in the truth) may be called anything."""
    true = counted([row for row in true_rows if row["callback"] is not None], "callback")
    steps = sum(row["count"] for row in true_rows) - sum(true.values())
    seen = counted(rows, "callback")
    of_steps = collections.Counter({key: count for key, count in seen.items() if key not in true})
    lines = counters_differ("ready", seen - of_steps, true)
    return lines + values_differ("steps of tasks that are ready", sum(of_steps.values()), steps)


def transport_differences(rows, true_rows):
    def key(row, peer):
        return short(row["type"]), short(row["protocol"]), peer or None

    any_peer = {key(row, "*")[:2] for row in true_rows if row["peer"] == "*"}
    lines = []
    for column in ("count", "write_buffer_bytes"):
        seen, true = collections.Counter(), collections.Counter()
        for row in rows:
            peer = "*" if key(row, None)[:2] in any_peer else row["peer"]
            seen[key(row, peer)] += row[column] or 0
        for row in true_rows:
            true[key(row, row["peer"])] += row[column]
        lines += counters_differ("transports' %s" % column, +seen, +true)
    return lines


def queue_differences(document, truth):
    def queues(rows):
        columns = ("length", "maxsize", "getters", "putters")
        return collections.Counter((short(row["type"]), *(row[column] for column in columns)) for row in rows)

    def waits(rows):
        return counted([dict(row, type=short(row["type"])) for row in rows], "type", by="waiters")

    lines = counters_differ("queues type/length/maxsize/getters/putters", queues(document["queues"]),
                            queues(truth["queues"]))  # fmt: skip
    return lines + counters_differ("waiters on", waits(document["waits"]), waits(truth["waits"]))


def loop_differences(rows, true_rows, gauges):
    def states(loops):
        return collections.Counter(
            tuple("%s=%s" % (gauge, loop[gauge] or 0 if gauge == "executor_queue" else loop[gauge]) for gauge in gauges)
            for loop in loops
        )

    return counters_differ("loops", states(rows), states(true_rows))


def same_function(seen, true, python):
    """To 3.10 a code object has no qualified name; a coroutine has."""
    return seen == true or (python < (3, 11) and seen == short(true))


def named_differences(task, named, python):
    """One task that the program has described: everything the description contains must be so."""
    what = "task %s: " % named["name"]
    if task is None:
        return [what + "not there (%s)" % named["address"]]
    fields = ("name", "state", "cancel_requested", "coroutine", "file", "line")
    lines = [each for field in fields for each in values_differ(field, task[field], named[field])]
    lines += waiting_differences(task["waiting_for"], named["waiting_for"])
    if "await_chain" in named:
        lines += chain_differences(task["await_chain"], named["await_chain"], python)
    if "awaited_by" in named:
        lines += awaited_by_differences(task["awaited_by"], named["awaited_by"])
    if named.get("result"):
        lines += result_differences(task["result"], named["result"])
    if "locals" in named:
        lines += locals_differences(task, named, python)
    for pieces in named.get("holders", ()):
        lines += holder_differences(task, pieces)
    return [what + line for line in lines]


def waiting_differences(seen, true):
    if seen is None or true is None:
        return values_differ("waiting_for", seen, true)
    pair = (short(seen["type"]), seen["address"])
    return values_differ("waiting_for", pair, (short(true["type"]), true["address"]))


def chain_text(chain):
    return " < ".join("%(function)s %(file)s:%(line)s" % frame for frame in chain)


def chain_differences(seen, true, python):
    equal = len(seen) == len(true) and all(
        same_function(have["function"], want["function"], python)
        and (have["file"], have["line"]) == (want["file"], want["line"])
        for have, want in zip(seen, true)
    )
    return [] if equal else ["await chain is %s; true %s" % (chain_text(seen), chain_text(true))]


def awaited_by_differences(seen, true):
    def matches(have, want):
        return (
            have["how"] == want["how"]
            and have.get("task") in (None, want.get("task"))
            and ("callback" not in want or have.get("callback") == want["callback"])
        )

    left = list(seen)
    for want in true:
        found = next((have for have in left if matches(have, want)), None)
        if found is None:
            return ["awaited_by is %r, true %r" % (seen, true)]
        left.remove(found)
    return ["awaited_by is %r, true %r" % (seen, true)] if left else []


def result_differences(seen, true):
    if seen is None:
        return [] if true["type"] == "NoneType" else ["no result, true %r" % true]
    pair = (short(seen["type"]), seen["length"])
    return values_differ("result", pair, (short(true["type"]), true["length"]))


def locals_differences(task, named, python):
    lines, seen = [], task["locals"]
    sizes = [each["bytes"] or 0 for each in seen]
    if sizes != sorted(sizes, reverse=True):
        lines.append("locals are not the biggest first: %r" % sizes)
    for want in named["locals"]:
        what = "local %s of %s" % (want["name"], want["frame"])
        of_name = [each for each in seen if each["name"] == want["name"]]
        found = [each for each in of_name if same_function(each["frame"], want["frame"], python)]
        if len(found) != 1:
            lines.append("%s: %d of them" % (what, len(found)))
            continue
        pair = (short(found[0]["type"]), found[0]["length"])
        lines += values_differ(what, pair, (short(want["type"]), want["length"]))
        if want["bytes"] >= SMALL_BYTES and not close(found[0]["bytes"], want["bytes"]):
            lines.append("%s: %s bytes, true %d" % (what, found[0]["bytes"], want["bytes"]))
    if task["held_at_least"]:
        lines.append("held_bytes is only a lower bound")
    if named["held_bytes"] >= SMALL_BYTES and not close(task["held_bytes"], named["held_bytes"], OWN_BYTES):
        lines.append("holds %s bytes, true %d" % (task["held_bytes"], named["held_bytes"]))
    return lines


def holder_differences(task, pieces):
    """One holder is called by all of PIECES."""
    texts = task["holders"]
    if any(all(piece in text for piece in pieces) for text in texts):
        return []
    return ["no holder with %s among %r" % (", ".join(pieces), texts)]
