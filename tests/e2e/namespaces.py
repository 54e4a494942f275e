"""Places a process can run in, made here: control groups, roots. Used by test_namespaces.py, test_metrics.py.

Everything is below a directory of its own and goes with its `with`; nothing of the machine's is changed.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time

from processes import Deadline, Failure


def cgroup_root(stack):
    """Where version 2 is mounted to be written to: /sys/fs/cgroup, or beside version 1; else a mount of our own."""
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _, place, kind, *_ = line.split()
            if kind == "cgroup2" and os.access(place, os.W_OK):
                return place
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    subprocess.run(["mount", "-t", "cgroup2", "none", folder], check=True)
    stack.callback(subprocess.run, ["umount", folder], check=True)
    return folder


@contextlib.contextmanager
def cgroup(*names):
    """A group below the root of the hierarchy, made name by name; yields what puts a process into it."""
    with contextlib.ExitStack() as stack:
        path = os.fsencode(cgroup_root(stack))
        for name in names:
            path = os.path.join(path, os.fsencode(name))
            if not os.path.isdir(path):
                os.mkdir(path)
                stack.callback(remove_group, path)

        def enter(pid):
            with open(os.path.join(path, b"cgroup.procs"), "w") as procs:
                procs.write(str(pid))

        yield enter


def remove_group(path):
    """Who was in it has been told to end, but it may take a moment."""
    deadline = Deadline(10)
    while True:
        try:
            return os.rmdir(path)
        except OSError:
            if deadline.passed():
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def overlay(lower):
    """A root of its own over LOWER: on overlayfs, whose files have another device in maps than stat says."""
    folder = tempfile.mkdtemp(prefix="asyncleak-overlay-")
    try:
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(folder, name))
        options = "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (lower, folder, folder)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder + "/root"], check=True)
        yield folder + "/root"
    finally:
        subprocess.run(["umount", "-R", "-l", folder], check=True)
        shutil.rmtree(folder)


def children(pid):
    found = []
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/children" % (pid, thread)) as file:
            found += [int(word) for word in file.read().split()]
    return found


def python_below(pid):
    """The machine's PID of the Python process that PID is or has started, by way of whatever wrapped it."""
    deadline = Deadline(10)
    while not deadline.passed():
        waiting = [pid]
        while waiting:
            each = waiting.pop()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open("/proc/%d/comm" % each) as comm:
                    if comm.read().startswith("python"):
                        return each
                waiting += children(each)
        time.sleep(0.05)
    raise Failure("no Python process below PID %d" % pid)
