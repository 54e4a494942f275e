"""A Debian root to change at will: an overlay on one that is kept, gone with this process.

Used by the tests of the packages. alone() first: the mounts are then in a namespace of our own, which no crash leaves
behind. Knows nothing of the tool.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLEET = os.environ.get("ASYNCLEAK_FLEET", "/var/cache/asyncleak-fleet")
BUILD = os.environ.get("ASYNCLEAK_BUILD", os.path.join(PROJECT, "build"))
LEAK = "cargo_naïf"  # not ASCII, to be seen on screens
LEAKING = """
import asyncio
held = []
async def %s(): await asyncio.sleep(3600)
async def dock():
    for _ in range(7): held.append(asyncio.create_task(%s()))
    print("ready", flush=True)
    await asyncio.sleep(3600)
asyncio.run(dock())
""" % (LEAK, LEAK)


def alone():
    """Starts this program again in a mount namespace of its own."""
    if os.geteuid() != 0:
        print("needs root (chroot, mount)")
        sys.exit(77)
    if os.environ.get("ASYNCLEAK_ALONE") != "1":
        os.environ["ASYNCLEAK_ALONE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def file_of(root, path):
    return os.path.join(root, path.lstrip("/"))


def leaking(prefix=()):
    """A context: a process of PREFIX's python3 that holds seven tasks, once it does."""
    return Leaking(prefix)


class Leaking:
    def __init__(self, prefix):
        self.argv = [*prefix, "/usr/bin/python3", "-c", LEAKING]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the leaking program did not start"
        return self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Root:
    """LOWER: the root that is kept, several joined by colons, the uppermost first; None for one that is empty, as FROM
    scratch makes it. LAYER: a folder that keeps what is changed; None: it is forgotten."""

    def __init__(self, lower=None, layer=None):
        self.stack = contextlib.ExitStack()
        self.folder = tempfile.mkdtemp(prefix="asyncleak-root-")
        self.stack.callback(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "root")
        os.mkdir(self.path)
        if lower:
            # Of its own file system: an overlay's upper folder may not be on another overlay.
            changes = layer or os.path.join(self.folder, "changes")
            os.makedirs(changes, exist_ok=True)
            if not layer:
                self.mount(changes, "-t", "tmpfs", "tmpfs")
            for name in ("upper", "work"):
                os.makedirs(os.path.join(changes, name), exist_ok=True)
            options = "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (lower, changes, changes)
            self.mount(self.path, "-t", "overlay", "-o", options, "overlay")
        for kind in ("proc", "sys", "dev"):
            os.makedirs(file_of(self.path, kind), exist_ok=True)
            self.mount(file_of(self.path, kind), "--rbind", "/" + kind)

    def mount(self, where, *arguments):
        mount(*arguments, where)
        self.stack.callback(subprocess.run, ["umount", "--recursive", "--lazy", where], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def argv(self, *command):
        return ["chroot", self.path, *command]

    def run(self, *command):
        """What COMMAND wrote; it must succeed."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(self.argv(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        if done.returncode:
            raise AssertionError("%s: status %d:\n%s" % (" ".join(command), done.returncode, done.stdout))
        return done.stdout

    def exists(self, path):
        return os.path.lexists(file_of(self.path, path))

    def put(self, source, path):
        shutil.copy2(source, file_of(self.path, path))

    def files(self):
        """Every path that is in this root, but not what is mounted in it or what apt and dpkg keep for themselves."""
        own = ("/proc", "/sys", "/dev", "/tmp", "/run", "/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log")
        found = {}
        for folder, folders, names in os.walk(self.path):
            here = folder[len(self.path):]
            folders[:] = [name for name in folders if here + "/" + name not in own]
            for name in folders + names:
                path = os.path.join(folder, name)
                size = "folder" if os.path.isdir(path) else os.lstat(path).st_size
                found[here + "/" + name] = os.readlink(path) if os.path.islink(path) else size
        return found

    def tasks_seen(self, program, pid):
        """How many tasks of the leak PROGRAM, run in here, sees in process PID."""
        frames = self.run(program, "--json", "-n", "2", "-d", "0.5", "-p", str(pid))
        sites = json.loads(frames.splitlines()[-1])["sites"]
        return sum(site["outstanding"] for site in sites if (site["coroutine"], site["kind"]) == (LEAK, "task"))
