#!/usr/bin/env python3
"""Processes in other namespaces, roots and control groups: the right binary, exact counts, the names operators know.

    test_namespaces.py [-v] [TEST...]   unittest's own options; needs root, else it exits 77 (skipped)
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
import uuid

from interpreters import all_interpreters
from namespaces import cgroup, overlay, python_below
from processes import TOOL, Deadline, Tool, process_row, watches
from run_e2e import run_tests
from targets import PYTHON, WAITING_HOLDER, started

TASKS = 23
HOLDER = WAITING_HOLDER % (TASKS, 0)


def fleet(version):
    """A stripped Debian's interpreter in a root of its own."""
    return next(each for each in all_interpreters() if each.root and each.version == version)


def held(frame, pid):
    return [
        (each["outstanding"], each["created_total"])
        for each in frame["sites"]
        if (each["pid"], each["coroutine"]) == (pid, "held")
    ]


def one_frame(*options):
    """The first frame. It is there at once: what it says of a process does not wait for events."""
    with Tool("--json", "-d", "0.3", *options) as tool:
        return tool.frame(Deadline(20))


class Roots(unittest.TestCase):
    # A user namespace may mount /proc only where one is mounted whole; a machine's may have parts that are covered.
    WHOLE_PROC = ("unshare", "--mount", "sh", "-c", 'mount -t proc proc /proc && exec "$@"', "sh")

    def check(self, version, *argv, inside=True):
        """Tasks made under our eyes are counted to the last one, and the process is called what it is."""
        with started(*argv, "-c", HOLDER) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            pid = python_below(target.pid)
            with Tool("--json", "-d", "0.3", "-p", str(pid)) as tool:
                tool.frame_where(watches(pid), "attached", Deadline(20))
                target.stdin.write("\n")
                target.stdin.flush()
                self.assertEqual(target.stdout.readline(), "holding\n")
                counted = [(TASKS, TASKS)]
                frame = tool.frame_where(lambda each: held(each, pid) == counted, "%d tasks" % TASKS, Deadline(20))
                row = process_row(frame, pid)
                self.assertEqual(row["python"].rpartition(".")[0], "%d.%d" % version)
                self.assertEqual(row["pid"], pid)
                with open("/proc/%d/status" % pid) as status:
                    numbers = re.search(r"^NSpid:\t(.*)$", status.read(), re.MULTILINE)[1].split()
                self.assertEqual(row["container_pid"], int(numbers[-1]) if inside else None)
                self.assertEqual(len(numbers) > 1, inside)
                self.assertEqual(tool.stop(), 0)

    def test_pid_namespace(self):
        self.check(sys.version_info[:2], "unshare", "--pid", "--fork", "--mount-proc", PYTHON)

    def test_pid_namespaces_nested(self):
        unshare = ["unshare", "--pid", "--fork", "--mount-proc"]
        self.check(sys.version_info[:2], *unshare, *unshare, PYTHON)

    def test_user_namespace(self):
        unshare = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")
        self.check(sys.version_info[:2], *self.WHOLE_PROC, *unshare, PYTHON)

    def test_chroot_in_a_pid_namespace(self):
        for version in ((3, 9), (3, 15)):
            with self.subTest(version):
                other = fleet(version)
                self.check(version, "unshare", "--pid", "--fork", *other.argv())

    def test_bubblewrap(self):
        for version in ((3, 13), (3, 14)):
            with self.subTest(version):
                other = fleet(version)
                self.check(
                    version, *self.WHOLE_PROC, "bwrap", "--unshare-all", "--ro-bind", other.root, "/", "--proc", "/proc",
                    "--dev", "/dev", "--tmpfs", "/tmp", other.executable,
                )  # fmt: skip

    def test_pivot_root_on_overlayfs(self):
        for version in ((3, 9), (3, 13)):
            other = fleet(version)
            with self.subTest(version), overlay(other.root) as root:
                os.mkdir(root + "/old")
                script = "mount --bind {0} {0} && cd {0} && mount -t proc proc proc && pivot_root . old && "
                script = (script + 'exec {1} "$@"').format(shlex.quote(root), other.executable)
                self.check(version, "unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh")

    def test_neither(self):
        self.check(sys.version_info[:2], PYTHON, inside=False)


class Grouped:
    """Groups as the runtimes make them. The ids are new each time: other copies of this test may run."""

    def setUp(self):
        self.id = uuid.uuid4().hex + uuid.uuid4().hex
        self.short = self.id[:12]
        self.uid = str(uuid.uuid4())

    def described(self, groups, *argv):
        """The process's row, of a Python process in that group."""
        with cgroup(*groups) as enter, started(*argv, "-c", HOLDER, preexec_fn=lambda: enter(os.getpid())) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            pid = python_below(target.pid)
            return process_row(one_frame("-p", str(pid)), pid)

    def check(self, row, **wanted):
        names = {"unit", "container", "container_runtime", "pod", "pod_uid", "namespace"}
        self.assertEqual({name: row[name] for name in names}, {**dict.fromkeys(names), **wanted})



class Names(Grouped, unittest.TestCase):
    def test_units(self):
        unit = "shop-%s.service" % self.short
        self.check(self.described(["system-%s.slice" % self.short, unit], PYTHON), unit=unit)
        user = ["user-%s.slice" % self.short, "user@4711.service", "app.slice", unit]
        self.check(self.described(user, PYTHON), unit=unit)

    def test_containers(self):
        for prefix, runtime in (("docker", "docker"), ("libpod", "podman"), ("crio", "cri-o")):
            with self.subTest(prefix):
                row = self.described(["%s-%s.scope" % (prefix, self.id)], PYTHON)
                self.check(row, container=self.short, container_runtime=runtime)

    def test_the_id_is_beside_the_name(self):
        with cgroup("docker-%s.scope" % self.id) as enter, started(PYTHON, "-c", HOLDER) as target:
            enter(target.pid)
            self.assertEqual(target.stdout.readline(), "up\n")
            page = subprocess.run([TOOL, "inspect", str(target.pid)], capture_output=True, text=True, check=True)
            self.assertIn("container %s (docker)" % self.short, page.stdout.splitlines()[0])


class Pods(Grouped, unittest.TestCase):
    """As a node has them: a group, a host name, an account's file, a root."""

    NAMESPACE = "/run/secrets/kubernetes.io/serviceaccount"

    def pod(self, prepare, environment="HOSTNAME=web-0", uts=("unshare", "--uts")):
        """The row of a process in a pod whose root PREPARE, a shell script, has completed."""
        groups = ["kubepods-burstable-pod%s.slice" % self.uid.replace("-", "_"), "cri-containerd-%s.scope" % self.id]
        script = "set -e; mount -t tmpfs none /run; mkdir -p {0}; {1}; exec env -u HOSTNAME {2} {3} \"$@\""
        script = script.format(self.NAMESPACE, prepare, environment, PYTHON)
        return self.described(groups, *uts, "unshare", "--mount", "sh", "-c", script, "sh")

    def check_pod(self, row, **wanted):
        self.check(row, container=self.short, container_runtime="containerd", pod_uid=self.uid, **wanted)

    def test_pod_and_namespace(self):
        prepare = "printf shop > %s/namespace; hostname web-0" % self.NAMESPACE
        self.check_pod(self.pod(prepare), pod="web-0", namespace="shop")

    def test_name_from_the_root(self):
        layers = "lowerdir=/etc,upperdir=/run/upper,workdir=/run/work"
        prepare = "mkdir /run/upper /run/work; mount -t overlay -o %s none /etc; echo web-1 > /etc/hostname" % layers
        self.check_pod(self.pod(prepare, environment=""), pod="web-1")

    def test_host_network(self):
        """The node's own host name is not the pod's. The machine's UTS namespace is that of its kernel threads."""
        of_the_machine = ("nsenter", "--uts=/proc/2/ns/uts")
        row = self.pod("printf shop > %s/namespace" % self.NAMESPACE, uts=of_the_machine)
        self.check_pod(row, namespace="shop")

    def test_what_could_block_is_not_opened(self):
        self.check_pod(self.pod("mkfifo %s/namespace" % self.NAMESPACE), pod="web-0")
        self.check_pod(self.pod("mkdir %s/namespace" % self.NAMESPACE), pod="web-0")
        self.check_pod(self.pod("ln -s /dev/zero %s/namespace" % self.NAMESPACE), pod="web-0")

    def test_long_names_are_cut(self):
        prepare = "head -c 100000 /dev/zero | tr '\\0' x > %s/namespace" % self.NAMESPACE
        self.check_pod(self.pod(prepare, environment="HOSTNAME=" + "w" * 5000), pod="w" * 256, namespace="x" * 256)

    def test_links_do_not_lead_out_of_the_root(self):
        groups = ["kubepods-pod%s.slice" % self.uid.replace("-", "_"), "cri-containerd-%s.scope" % self.id]
        other = fleet((3, 13))
        with tempfile.NamedTemporaryFile("w", prefix="asyncleak-outside-") as outside, overlay(other.root) as root:
            outside.write("secret of the machine")
            outside.flush()
            os.makedirs(root + self.NAMESPACE)
            if not os.path.islink(root + "/var/run"):  # as Debian's base-files makes it
                os.rmdir(root + "/var/run")
                os.symlink("/run", root + "/var/run")
            link = root + self.NAMESPACE + "/namespace"
            for target in (outside.name, "../" * 12 + outside.name):
                os.symlink(target, link)
                row = self.described(groups, "unshare", "--uts", "chroot", root, other.executable)
                self.assertIsNone(row["namespace"], target)
                self.assertEqual(row["pod_uid"], self.uid)
                os.remove(link)
            # The same link, to a file that is there inside.
            os.symlink("/namespace", link)
            with open(root + "/namespace", "w") as file:
                file.write("inside\n")
            self.assertEqual(self.described(groups, "chroot", root, other.executable)["namespace"], "inside")


class Ourselves(unittest.TestCase):
    UNSHARED = ("unshare", "--pid", "--fork", "--mount-proc", TOOL)

    def test_refused_in_a_pid_namespace_of_our_own(self):
        for command in ((), ("run", "--", "true")):
            with self.subTest(command):
                result = subprocess.run([*self.UNSHARED, *command], capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 3)
                self.assertEqual(result.stdout, "")
                (line,) = result.stderr.splitlines()
                self.assertRegex(line, r"^asyncleak-top: PIDs: in a PID namespace of its own .*hostPID.*--pid=host")

    def test_doctor_says_so(self):
        result = subprocess.run([*self.UNSHARED, "doctor"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 3)
        self.assertRegex(result.stdout, r"(?m)^FAIL PIDs .*hostPID")
        outside = subprocess.run([TOOL, "doctor"], capture_output=True, text=True, timeout=60)
        self.assertRegex(outside.stdout, r"(?m)^ok   PIDs +those of the machine$")


if __name__ == "__main__":
    run_tests()
