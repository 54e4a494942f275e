"""A frame of `--json` against the truth of a census scenario or of a leaking program. Pure, as census_compare.py."""

import collections

from census_compare import GAUGES, chain_differences, chain_text, counters_differ, loop_differences
from census_compare import short, values_differ


def sites_of(frame, pid, kind):
    return [site for site in frame["sites"] if site["pid"] == pid and site["kind"] == kind]


def sites_named(frame, pid, kind, name):
    return [site for site in sites_of(frame, pid, kind) if short_name(site) == short_name_of(kind, name)]


def column_sum(frame, pid, kind, name, column):
    """Over the sites of that name; None: there is none, or one of them does not say."""
    values = [site[column] for site in sites_named(frame, pid, kind, name)]
    return sum(values) if values and None not in values else None


def short_name_of(kind, name):
    return short(name) if kind == "transport" else name


def short_name(site):
    return short_name_of(site["kind"], site["coroutine"])


def frame_differences(frame, truth):
    """Empty when every site of every kind, and the loops' gauges, are what the program has."""
    pid = truth["pid"]
    lines = task_site_differences(frame, pid, truth)
    for kind, rows, name in (
        ("coroutine", truth["coroutines"], "coroutine"),
        ("asyncgen", truth["asyncgens"], "coroutine"),
        ("timer", truth["timers"], "callback"),
        ("transport", truth["transports"], "protocol"),
    ):
        lines += kind_differences(frame, pid, kind, rows, name, truth)
    row = next((each for each in frame["processes"] if each["pid"] == pid), None)
    if row is None:
        return lines + ["process %d is not in the frame" % pid]
    lines += loop_differences(row["loops"], truth["loops"], GAUGES)
    return lines + waiting_at_differences(frame, pid, truth)


def task_site_differences(frame, pid, truth):
    seen, true, lines = collections.Counter(), collections.Counter(), []
    for site in sites_of(frame, pid, "task"):
        for column in ("outstanding", "pending", "done"):
            if site[column] is None:
                lines.append("task site %s: %s was not observed" % (site["coroutine"], column))
            seen[site["coroutine"], column] += site[column] or 0
    for row in truth["tasks"]:
        done = row["finished"] + row["failed"] + row["cancelled"]
        columns = {"outstanding": row["outstanding"], "pending": row["pending"], "done": done}
        true.update({(row["coroutine"], column): count for column, count in columns.items()})
    return lines + counters_differ("task sites", +seen, +true)


def kind_differences(frame, pid, kind, rows, name, truth):
    seen, true = collections.Counter(), collections.Counter()
    for site in sites_of(frame, pid, kind):
        seen[short_name(site)] += site["outstanding"] or 0
    for row in rows:
        true[short_name_of(kind, row[name])] += row["count"]
    unnamed = [each for each in seen if each not in true] if kind == "timer" else []
    cancelled = sum(seen.pop(each) for each in unnamed)  # without a callback there is no name
    lines = counters_differ(kind + " sites", +seen, +true)
    if cancelled not in (0, truth["timers_cancelled"]):
        lines += values_differ("timer sites of no callback", cancelled, truth["timers_cancelled"])
    return lines


def waiting_at_differences(frame, pid, truth):
    """Where all described tasks of a coroutine wait at one place, its sites say that place."""
    chains, lines = {}, []
    for named in truth["named"]:
        if "await_chain" in named:
            chains.setdefault(named["coroutine"], {})[chain_text(named["await_chain"])] = named["await_chain"]
    for site in sites_of(frame, pid, "task"):
        expected = list(chains.get(site["coroutine"], {}).values())
        if len(expected) == 1:
            found = chain_differences(site["waiting_at"] or [], expected[0], tuple(truth["python"]))
            lines += ["task site %s: %s" % (site["coroutine"], each) for each in found]
    return lines


def outstanding_differences(frame, process):
    """PROCESS: of scenarios/census_preexisting.py. A name without a site has nothing outstanding."""
    lines = []
    for name, row in process["tasks"].items():
        for column, true in row.items():
            seen = column_sum(frame, process["pid"], "task", name, column) or 0
            lines += values_differ("%s of %s" % (column, name), seen, true)
    total = sum(row["outstanding"] for row in process["tasks"].values())
    seen = next((row["tasks"]["outstanding"] for row in frame["processes"] if row["pid"] == process["pid"]), None)
    return lines + values_differ("outstanding of the process", seen, total)


def row_differences(frame, pid, pattern, row):
    """The row of a leak is there, with its place and its count. ROW: the truth of leaks/*.py."""
    sites = sites_named(frame, pid, row["kind"], row["name"])
    if not sites:
        return ["no %s site %s" % (row["kind"], row["name"])] if row["count"] else []
    seen = column_sum(frame, pid, row["kind"], row["name"], pattern.count)
    lines = values_differ("%s of %s" % (pattern.count, row["name"]), seen, row["count"])
    for site in sites:
        if row["file"] is not None:
            place = (site["file"], site["line"])
            lines += values_differ("where %s is" % row["name"], place, (row["file"], row["line"]))
    return lines
