"""Small Python targets given as text, and what the kernel holds of the tool. Used by test_cli.py, test_safety.py."""

import contextlib
import glob
import json
import re
import subprocess

from processes import end

PYTHON = "/usr/bin/python3"

# Stands still after each line it is sent; says how many tasks it has made meanwhile.
CHURN = """
import asyncio, sys, threading
made = 0
async def nothing(): pass
async def churn():
    global made
    while True:
        await asyncio.create_task(nothing())
        made += 1
threading.Thread(target=lambda: asyncio.run(churn()), daemon=True).start()
for line in sys.stdin:
    print(made, flush=True)
"""

# Holds COUNT tasks until its standard input ends.
HOLDER = """
import asyncio, sys
async def held(): await asyncio.get_running_loop().create_future()
async def main():
    keep = [asyncio.create_task(held()) for _ in range(%d)]
    print('holding', flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    import os; os._exit(%d)
asyncio.run(main())
"""

# Has asyncio, but makes its COUNT tasks only when it is sent a line.
WAITING_HOLDER = "import asyncio, _asyncio, sys\nprint('up', flush=True)\nsys.stdin.readline()\n" + HOLDER


@contextlib.contextmanager
def started(*argv, **options):
    """A process with pipes, ended at the latest with the test."""
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        end(process)
        process.stdin.close()
        process.stdout.close()


def python(code):
    return started(PYTHON, "-c", code)


def ask(process):
    """Sends a line and reads one."""
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def bpf_objects():
    """(kind, id) of all BPF programs, maps and links of the machine."""
    objects = set()
    for kind in ("prog", "map", "link"):
        listing = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, check=True)
        objects |= {(kind, each["id"]) for each in json.loads(listing.stdout or "[]")}
    return objects


def bpf_objects_of(pid):
    """Those a process has descriptors of."""
    objects = set()
    for path in glob.glob("/proc/%d/fdinfo/*" % pid):
        with contextlib.suppress(FileNotFoundError), open(path) as info:
            for kind, number in re.findall(r"^(prog|map|link)_id:\s*(\d+)$", info.read(), re.MULTILINE):
                objects.add((kind, int(number)))
    return objects
