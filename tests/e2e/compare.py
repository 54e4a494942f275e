"""A frame of the tool against the truth of a scenario. Pure: two values in, lines of difference out."""

import collections

FIELDS = {
    "created": "created_total",
    "destroyed": "destroyed_total",
    "outstanding": "outstanding",
    "preexisting": "preexisting",
}
COLUMNS = tuple(FIELDS)


def counted(frame, pid):
    """Per qualified name, what the tool counted of a process: its sites summed."""
    sums = collections.defaultdict(lambda: dict.fromkeys(COLUMNS, 0))
    for site in frame["sites"]:
        if site["pid"] == pid and site["kind"] == "task":
            for column in COLUMNS:
                sums[site["coroutine"]][column] += site[FIELDS[column]] or 0
    return dict(sums)


def differences(frame, truth):
    """Empty when every process of the truth has exactly these tasks; else one line per wrong number."""
    lines = []
    for process in truth["processes"]:
        seen = counted(frame, process["pid"])
        expected = process["tasks"]
        for name in sorted(set(seen) | set(expected)):
            # Of a memory image that is gone the totals may stay on screen, but nothing is outstanding.
            columns = ("outstanding",) if name in process.get("past", ()) else COLUMNS
            for column in columns:
                have = seen.get(name, {}).get(column, 0)
                want = expected.get(name, {}).get(column, 0)
                if have != want:
                    lines.append(_line(process["pid"], name, column, have, want))
    return lines


def _line(pid, name, column, have, want):
    return "pid %d %-40s %-12s counted %9d, true %9d" % (pid, name, column, have, want)


def _user_frame(site, file):
    """The line of the innermost frame of the creation stack that is in the scenario's own file."""
    return next((frame["line"] for frame in site["created_at"] or () if frame["file"] == file), None)


def stack_differences(frame, truth):
    """Tasks created per line of the program: as many as the program counted on it."""
    lines = []
    for process in truth["processes"]:
        seen = collections.Counter()
        for site in frame["sites"]:
            if site["pid"] == process["pid"] and site["kind"] == "task":
                seen[site["coroutine"], _user_frame(site, process["file"])] += site["created_total"]
        for expected in process["sites"]:
            have = seen[expected["coroutine"], expected["line"]]
            if have != expected["created"]:
                others = {line: count for (name, line), count in seen.items() if name == expected["coroutine"]}
                lines.append(
                    "pid %d %s: %d created on line %d, the tool says %d (by line: %s)"
                    % (process["pid"], expected["coroutine"], expected["created"], expected["line"], have, others)
                )
    return lines
