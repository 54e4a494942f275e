#!/usr/bin/env python3
"""As a service: the unit's user with the unit's capabilities and no others, what the service manager and the journal are
told, outputs that fail and come back, and what is left behind.

    test_daemon.py [-v] [TEST...]   unittest's own options; needs root, else it exits 77 (skipped)
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import unittest

from daemon import TEXTFILES, UNIT, USER, Daemon, Place, capability_mask, setting, with_capabilities
from interpreters import all_interpreters
from processes import PROJECT, Deadline
from run_e2e import run_tests
from targets import HOLDER, PYTHON, bpf_objects, bpf_objects_of, started

HOLDS = 400

# What the kernel puts into a probed process, us included (uretprobe, uprobe; 335 and 336 where strace has no names). No
# filter sees them: kernel/seccomp.c, seccomp_uprobe_exception(), 6.14 and the stable kernels of then.
PROBES_OWN = {"uretprobe", "uprobe", "syscall_0x14f", "syscall_0x150"}

# Five tasks a second, which nobody ends.
LEAK = """
import asyncio
async def lost(): await asyncio.get_running_loop().create_future()
async def main():
    keep = []
    print('holding', flush=True)
    while True:
        keep.append(asyncio.create_task(lost()))
        await asyncio.sleep(0.2)
asyncio.run(main())
"""


@contextlib.contextmanager
def target(user, code, executable=PYTHON, root=None):
    """A process of another user, where ROOT is given in that root."""
    prefix = ["chroot", "--userspec=%d:%d" % (user, user), root] if root else \
             ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups"]  # fmt: skip
    with started(*prefix, executable, "-c", code) as process:
        if process.stdout.readline() != "holding\n":
            raise unittest.TestCase.failureException("the target did not start")
        yield process


@contextlib.contextmanager
def out_of_reach(place, user):
    """One whose program lies in a directory that is closed to others, and one whose program is not there any more."""
    closed = os.path.join(place.folder, "closed-%d" % user)
    os.mkdir(closed, 0o700)
    os.chown(closed, user, user)
    hidden, gone = os.path.join(closed, "python3.11"), os.path.join(place.folder, "python3.11")
    for copy in (hidden, gone):
        shutil.copy(os.path.realpath(PYTHON), copy)
        os.chmod(copy, 0o755)
    with target(user, HOLDER % (HOLDS, 0), hidden) as first, target(user, HOLDER % (HOLDS, 0), gone) as second:
        os.unlink(gone)
        yield first, second


def tasks(place, pid, coroutine):
    """What the metrics say of a coroutine of a process."""
    total = 0
    with open(place.metrics) as file:
        for labels, value in re.findall(r"^asyncleak_tasks\{(.*)\} (\d+)$", file.read(), re.MULTILINE):
            if 'pid="%d"' % pid in labels and 'coroutine="%s"' % coroutine in labels:
                total += int(value)
    return total


def capabilities_of(pid):
    with open("/proc/%d/status" % pid) as status:
        return {name: int(value, 16) for name, value in re.findall(r"^Cap(\w+):\s*(\w+)$", status.read(), re.MULTILINE)}


class Watching(unittest.TestCase):
    def test_strangers_are_counted_and_the_leak_is_told(self):
        with contextlib.ExitStack() as stack:
            place = stack.enter_context(Place())
            foreign = next(each for each in all_interpreters() if each.name == "debian-3.13")
            other = stack.enter_context(target(2001, HOLDER % (HOLDS, 0)))
            inside = stack.enter_context(target(2002, HOLDER % (HOLDS, 0), foreign.executable, foreign.root))
            hidden, gone = stack.enter_context(out_of_reach(place, 2003))
            leaking = stack.enter_context(target(2004, LEAK))
            daemon = stack.enter_context(Daemon(place, "--delay", "0.5", watchdog_s=10))
            daemon.wait_ready()
            self.assertTrue(os.path.exists(place.metrics), "ready before the first metrics")
            self.assert_privileges(daemon.process.pid)
            ours = bpf_objects_of(daemon.process.pid)
            self.assertEqual({kind for kind, _ in ours}, {"prog", "map", "link"})
            for each in (other, inside, hidden, gone):
                count = lambda pid=each.pid: tasks(place, pid, "held")
                daemon.wait_for("all tasks of %d" % each.pid, lambda: count() == HOLDS, 20)
            self.assert_forgets(daemon, place)

            told = daemon.wait_log("leak: task-leak", "[%d]" % leaking.pid, seconds=120)
            self.assertRegex(told, r"^<4>leak: task-leak in python3\[%d\].*: lost at <string>:3: \d+ of " % leaking.pid)
            whose = "leak: task-leak in python3[%d]" % leaking.pid
            self.assertEqual(len([line for line in daemon.log() if whose in line]), 1, daemon.log())
            fed = daemon.heard("WATCHDOG=1")
            self.assertGreater(len(fed), 2)
            self.assertLess(max(b - a for a, b in zip(fed, fed[1:])), 10)
            leaking.kill()
            daemon.wait_log("<6>ended: task-leak", "[%d]" % leaking.pid)

            self.assertEqual(daemon.stop(), 0)
            self.assertTrue(daemon.heard("STOPPING=1"))
            self.assertEqual(daemon.log()[-1], "<6>stopping: SIGTERM")
            self.assertEqual(daemon.output(), "")
            self.assertEqual(os.listdir(place.textfiles), [])
            self.assert_freed(ours)

    def assert_privileges(self, pid):
        """docs/least-privilege.md says what is kept."""
        unit = capability_mask(setting("AmbientCapabilities"))
        looking = capability_mask(["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_CHECKPOINT_RESTORE"])
        self.assertEqual(capabilities_of(pid), {"Inh": 0, "Prm": unit, "Eff": looking, "Bnd": unit, "Amb": 0})
        with open("/proc/%d/status" % pid) as status:
            self.assertIn("NoNewPrivs:\t1\n", status.read())

    def assert_forgets(self, daemon, place):
        """What ends is forgotten in the kernel, too, which takes running a BPF program with what is in effect then."""
        with target(2005, HOLDER % (7, 0)) as short:
            daemon.wait_for("a newcomer", lambda: tasks(place, short.pid, "held") == 7, 20)
        daemon.wait_for("it has gone", lambda: tasks(place, short.pid, "held") == 0, 20)
        self.assertEqual([line for line in daemon.log() if line.startswith("<3>")], [])

    def assert_freed(self, objects):
        deadline = Deadline(10)
        while bpf_objects() & objects and not deadline.passed():
            time.sleep(0.05)
        self.assertEqual(bpf_objects() & objects, set())


class OneCapabilityLess(unittest.TestCase):
    """Each of the unit's is needed: for something that can be seen, and that `doctor` names."""

    NEEDED = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE")
    FOR_FILES = ("CAP_DAC_READ_SEARCH", "CAP_CHECKPOINT_RESTORE")

    def test_the_unit_has_these(self):
        self.assertEqual(sorted(setting("AmbientCapabilities")), sorted(self.NEEDED + self.FOR_FILES))
        self.assertEqual(setting("AmbientCapabilities"), setting("CapabilityBoundingSet"))

    def test_doctor_names_it(self):
        with Place() as place, out_of_reach(place, 2006) as (_, gone):
            run = lambda names: subprocess.run([*with_capabilities(names), place.program, "doctor", str(gone.pid)],
                                               capture_output=True, text=True, timeout=60)  # fmt: skip
            every = setting("AmbientCapabilities")
            self.assertEqual(run(every).returncode, 0, run(every))
            for capability in every:
                with self.subTest(capability):
                    result = run([each for each in every if each != capability])
                    self.assertEqual(result.returncode, 3, result)
                    self.assertRegex(result.stdout, "missing " + capability)

    def test_what_is_out_of_reach_is_shown_with_the_reason(self):
        with Place() as place, out_of_reach(place, 2009) as processes:
            command = [*with_capabilities(self.NEEDED), place.program, "--json", "-n", "1", "--comm", "python3.11"]
            result = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/")
            rows = {each["pid"]: each for each in json.loads(result.stdout)["processes"]}
            for process in processes:
                with self.subTest(process.args[-3]):
                    (warning,) = rows[process.pid]["warnings"]
                    self.assertIn("with CAP_DAC_READ_SEARCH and CAP_CHECKPOINT_RESTORE", warning)

    def test_the_service_names_it_and_does_not_start(self):
        every = setting("AmbientCapabilities")
        with Place() as place:
            for capability in self.NEEDED:
                left = [each for each in every if each != capability]
                with self.subTest(capability), Daemon(place, capabilities=left) as daemon:
                    self.assertEqual(daemon.process.wait(30), 3)
                    (line,) = daemon.log()
                    self.assertTrue(line.startswith("<3>privileges: missing %s (" % capability), line)
                    self.assertIn("grant", line)
                    self.assertEqual(os.listdir(place.textfiles), [])


class FailingOutput(unittest.TestCase):
    """Told once, not every second; the watchdog hears nothing meanwhile; then it goes on."""

    def check(self, daemon, words, broken):
        before = len(daemon.log())
        with broken:
            daemon.wait_log("<3>", *words, after=before)
            heard = len(daemon.heard("WATCHDOG=1"))
            daemon.listen(2.5)
            self.assertEqual(len(daemon.heard("WATCHDOG=1")), heard)
            errors = [line for line in daemon.log()[before:] if line.startswith("<3>")]
            self.assertEqual(len(errors), 1, errors)
        daemon.wait_log("<5>metrics are written again", after=before)
        daemon.wait_for("the watchdog is fed again", lambda: len(daemon.heard("WATCHDOG=1")) > heard, 10)

    def test_told_once_and_recovered_from(self):
        with Place() as place, Daemon(place, "--delay", "0.3", watchdog_s=2) as daemon:
            daemon.wait_ready()
            daemon.wait_for("the watchdog is fed", lambda: daemon.heard("WATCHDOG=1"), 20)
            metrics = TEXTFILES + "/asyncleak.prom"
            self.check(daemon, ["creating " + metrics, "Permission denied"], self.closed(place))
            self.check(daemon, ["writing " + metrics, "No space left"], self.full(place))
            self.check(daemon, [metrics + " is a symbolic link, which is not followed: remove it"], self.link(place))
            self.check(daemon, [metrics + " belongs to another user (uid 0)"], self.foreign(place))
            self.check(daemon, [metrics + " is not a file"], self.directory(place))
            self.assertEqual(daemon.stop(), 0)
            self.assertEqual(os.listdir(place.textfiles), [])

    @staticmethod
    @contextlib.contextmanager
    def closed(place):
        os.chmod(place.textfiles, 0o555)
        yield
        os.chmod(place.textfiles, 0o755)

    @staticmethod
    @contextlib.contextmanager
    def full(place):
        filler = os.path.join(place.textfiles, "filler")
        with open(filler, "wb", 0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        yield
        os.unlink(filler)

    @contextlib.contextmanager
    def instead(self, place, make):
        """Something else under the file's name; it is as it was afterwards."""
        other = os.path.join(place.textfiles, "other")
        make(other)
        if os.path.isdir(other):
            os.unlink(place.metrics)
        os.rename(other, place.metrics)
        before = os.lstat(place.metrics)
        yield
        after = os.lstat(place.metrics)
        same = ("st_ino", "st_mode", "st_uid", "st_size", "st_mtime_ns")
        self.assertEqual([getattr(after, each) for each in same], [getattr(before, each) for each in same])
        (os.rmdir if os.path.isdir(place.metrics) and not os.path.islink(place.metrics) else os.unlink)(place.metrics)

    @contextlib.contextmanager
    def link(self, place):
        victim = os.path.join(place.folder, "victim")
        with open(victim, "w") as file:
            file.write("precious")
        os.chmod(victim, 0o666)
        with self.instead(place, lambda path: os.symlink(victim, path)):
            yield
        with open(victim) as file:
            self.assertEqual(file.read(), "precious")
        self.assertEqual(os.stat(victim).st_mode & 0o777, 0o666)

    def foreign(self, place):
        return self.instead(place, lambda path: open(path, "w").close())

    def directory(self, place):
        return self.instead(place, os.mkdir)


class Unit(unittest.TestCase):
    def test_systemd_understands_it(self):
        with Place() as place:
            copy = os.path.join(place.folder, "asyncleak-top.service")
            with open(UNIT) as unit, open(copy, "w") as changed:
                changed.write(unit.read().replace("/usr/bin/asyncleak-top", place.program))
            analyze = lambda *words: subprocess.run(["systemd-analyze", *words, copy], capture_output=True, text=True)
            verified = analyze("verify", "--man=no")
            self.assertEqual((verified.returncode, verified.stderr), (0, ""))
            rated = analyze("security", "--offline=true", "--no-pager", "--threshold=15")  # 1.5 of 10
            self.assertEqual(rated.returncode, 0, rated.stdout)

    def test_nothing_that_is_called_is_refused(self):
        """Every system call of a service's life, from start to end, a process that comes and goes in it, as strace shows
        them: the unit's filter lets them through, and with its capabilities the kernel refuses none that matters."""
        with Place() as place, target(2007, HOLDER % (HOLDS, 0)) as held:
            tracer = ["strace", "-f", "-qq", "-s", "0", "-o", "/dev/stdout"]
            options = ("--delay", "0.3", "--memory", "malloc", "--slow-step", "1", "--summary", "json")
            with Daemon(place, *options, prefix=tracer) as daemon:
                daemon.wait_ready()
                daemon.wait_for("its tasks", lambda: tasks(place, held.pid, "held") == HOLDS, 60)
                with target(2008, HOLDER % (7, 0)) as short:
                    daemon.wait_for("a newcomer", lambda: tasks(place, short.pid, "held") == 7, 20)
                daemon.wait_for("it has gone", lambda: tasks(place, short.pid, "held") == 0, 20)
                children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(daemon.process.pid)],
                                          capture_output=True, text=True).stdout.split()  # fmt: skip
                os.kill(int(children[0]), 15)
                self.assertEqual(daemon.process.wait(60), 0, daemon.log())
                trace = daemon.output()
        trace = trace.split(place.program, 1)[1]  # from where systemd would have executed it
        called = set(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))
        self.assertIn("process_vm_readv", called)
        self.assertIn("bpf", called)
        allowed, denied = filter_of_the_unit()
        self.assertEqual(called - allowed - PROBES_OWN, set())
        self.assertEqual(called & denied, set())
        ours = r"^.*\b(?:bpf|perf_event_open|process_vm_readv|capset)\b.*= -1 (?:EPERM|EACCES).*$"
        self.assertEqual(re.findall(ours, trace, re.MULTILINE), [])


def filter_of_the_unit():
    """SystemCallFilter= as the names of calls: allowed, and those taken out again."""
    known = {}
    listing = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        if line.startswith("@"):
            group = known.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            group.append(line.strip())

    def expand(word):
        return set().union(*map(expand, known[word])) if word.startswith("@") else {word}

    with open(UNIT) as unit:
        lines = re.findall(r"^SystemCallFilter=(~?)(.*)$", unit.read(), re.MULTILINE)
    sets = {"": set(), "~": set()}
    for sign, words in lines:
        sets[sign] |= set().union(*map(expand, words.split()))
    return sets[""], sets["~"]


class Installed(unittest.TestCase):
    def test_user_and_directory(self):
        """systemd-sysusers and systemd-tmpfiles in a bare root: the user may make files where only root could."""
        with Place() as place:
            root = os.path.join(place.folder, "root")
            os.makedirs(root + "/etc")
            folder = root + TEXTFILES
            os.makedirs(folder)
            deploy = os.path.join(PROJECT, "deploy", "systemd")
            run = lambda *command: subprocess.run(command, capture_output=True, text=True)
            made = run("systemd-sysusers", "--root=" + root, os.path.join(deploy, "asyncleak-top.sysusers"))
            self.assertEqual(made.returncode, 0, made.stderr)
            with open(root + "/etc/passwd") as passwd:
                name, _, number, _, _, home, shell = passwd.read().splitlines()[-1].split(":")
            self.assertEqual((name, home, shell), (setting("User")[0], "/", "/usr/sbin/nologin"))
            # Its list of users is the machine's, not the root's: the number instead of the name.
            config = os.path.join(place.folder, "asyncleak-top.conf")
            with open(os.path.join(deploy, "asyncleak-top.tmpfiles")) as file, open(config, "w") as changed:
                changed.write(file.read().replace("user:%s:" % name, "user:%s:" % number))
            made = run("systemd-tmpfiles", "--create", "--root=" + root, config)
            self.assertEqual((made.returncode, made.stderr), (0, ""))
            status = os.stat(folder)
            self.assertEqual((status.st_uid, status.st_gid), (0, 0))
            touch = lambda user: run("setpriv", "--reuid=%s" % user, "--regid=%s" % user, "--clear-groups",
                                     "touch", folder + "/%s" % user)  # fmt: skip
            self.assertEqual(touch(number).returncode, 0, touch(number))
            self.assertNotEqual(touch(USER).returncode, 0)


if __name__ == "__main__":
    run_tests()
