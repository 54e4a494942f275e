"""Compares what the tool says of allocations with the truth of the alloc_*.py scenarios. Used by test_memory.py."""

import collections

from processes import process_row

COLUMNS = ("allocated_bytes", "allocated_blocks", "allocated_total_bytes", "freed_total_bytes")


def counted(frame, pid):
    """(kind, coroutine) -> the four numbers: its sites summed, those that never had a block left out."""
    sums = collections.defaultdict(lambda: dict.fromkeys(COLUMNS, 0))
    for site in frame["sites"]:
        if site["pid"] == pid and (site["allocated_total_bytes"] or site["allocated_blocks"]):
            for column in COLUMNS:
                sums[site["kind"], site["coroutine"]][column] += site[column]
    return dict(sums)


def site_differences(frame, truth, others=False):
    """Empty when the sites of the truth have exactly these bytes (OTHERS: and the others none); else what is wrong."""
    lines, seen = [], counted(frame, truth["pid"])
    expected = {(site["kind"], site["coroutine"]): site for site in truth["sites"]}
    for key in sorted(set(expected) | (set(seen) if others else set())):
        for column in COLUMNS:
            have, want = (each.get(key, {}).get(column, 0) for each in (seen, expected))
            if have != want:
                lines.append("%-6s %-36s %-22s counted %12d, true %12d" % (*key, column, have, want))
    return lines


def differences(frame, truth):
    """As above, for a program of which nothing else is counted, and the process's own figures."""
    return site_differences(frame, truth, others=True) + row_differences(frame, truth["pid"])


def row_differences(frame, pid):
    """The process's own figures: those of its sites summed, and nothing that was not tracked."""
    row, seen = process_row(frame, pid), counted(frame, pid)
    allocations = row and row["allocations"]
    if not allocations or allocations["bytes"] is None:
        return ["allocations of process %d are not counted: %r" % (pid, allocations)]
    lines = []
    for column in ("bytes", "blocks"):
        total = sum(each["allocated_" + column] for each in seen.values())
        if allocations[column] != total:
            lines.append("the process has %d %s, its sites %d" % (allocations[column], column, total))
    if allocations["untracked_blocks"] or row["coverage"]["bytes"] != "since-attach":
        lines.append("%(untracked_blocks)d blocks not tracked" % allocations + ", " + row["coverage"]["bytes"])
    return lines


def site_of(frame, pid, coroutine):
    """The one site of a coroutine; None where there is none."""
    sites = [each for each in frame["sites"] if (each["pid"], each["coroutine"]) == (pid, coroutine)]
    sites = [each for each in sites if each["allocated_total_bytes"]] or sites
    return sites[0] if sites else None


def near(have, want, tolerance):
    return abs(have - want) <= tolerance * want
