"""asyncleak-top as its unit starts it, without systemd: the unit's user, capabilities and command line, in a mount and
network namespace of its own in which only the textfile directory can be written to, and a service manager's socket.

Used by test_daemon.py. Knows the unit file, not what is watched.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from processes import PROJECT, TOOL, Deadline, Failure, end, stop

UNIT = os.path.join(PROJECT, "deploy", "systemd", "asyncleak-top.service")
TEXTFILES = "/var/lib/prometheus/node-exporter"
USER = 61234  # nobody's

# What ProtectSystem=strict, ReadWritePaths= and PrivateNetwork= do. $1: the directory that takes TEXTFILES' place.
SANDBOX = """set -e
mount --bind "$1" %s
mount --make-private %s
while read -r _ _ _ _ point _; do
  case $point in /proc | /proc/* | /dev | /dev/* | %s) ;; *) mount -o remount,bind,ro "$point" ;; esac
done < /proc/self/mountinfo
shift
exec "$@"
""" % (TEXTFILES, TEXTFILES, TEXTFILES)


def setting(name):
    """The words of a setting of the unit; all its lines."""
    with open(UNIT) as unit:
        return " ".join(re.findall(r"^%s=(.*)$" % name, unit.read(), re.MULTILINE)).split()


def capability_mask(names):
    """As /proc/PID/status shows them."""
    numbers = {"CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21,
               "CAP_PERFMON": 38, "CAP_BPF": 39, "CAP_CHECKPOINT_RESTORE": 40}  # fmt: skip
    return sum(1 << numbers[name] for name in names)


def with_capabilities(names):
    """A command's prefix: the unit's user with exactly these, as AmbientCapabilities= and CapabilityBoundingSet= do it."""
    wanted = "-all" + "".join(",+" + name[4:].lower() for name in names)
    return ["setpriv", "--reuid=%d" % USER, "--regid=%d" % USER, "--clear-groups", "--bounding-set", wanted,
            "--inh-caps", wanted, "--ambient-caps", wanted]  # fmt: skip


class Place:
    """A folder with the program where the user can read it, and a small textfile directory of that user's."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="asyncleak-daemon-")
        os.chmod(self.folder, 0o755)
        self.program = os.path.join(self.folder, "asyncleak-top")
        subprocess.run(["strip", "-o", self.program, TOOL], check=True)
        os.chmod(self.program, 0o755)
        self.textfiles = os.path.join(self.folder, "textfiles")
        os.mkdir(self.textfiles)
        options = "size=1M,uid=%d,gid=%d,mode=755" % (USER, USER)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "textfiles", self.textfiles], check=True)
        os.makedirs(TEXTFILES, exist_ok=True)
        self.metrics = os.path.join(self.textfiles, "asyncleak.prom")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", self.textfiles], check=True)
        shutil.rmtree(self.folder)


class Daemon:
    """The unit's ExecStart with the variables that systemd sets. The messages and the log are read as they come."""

    def __init__(self, place, *options, capabilities=None, watchdog_s=None, prefix=()):
        self._place = place
        self._socket_path = os.path.join(place.folder, "notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._socket_path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._socket_path)
        os.chmod(self._socket_path, 0o777)
        self._output = open(os.memfd_create("stdout"), "w+b")
        self._log = open(os.memfd_create("stderr"), "w+b")
        os.fchmod(self._log.fileno(), 0o666)
        status = os.fstat(self._log.fileno())
        environment = dict(os.environ, NOTIFY_SOCKET=self._socket_path, ARGS="",
                           JOURNAL_STREAM="%d:%d" % (status.st_dev, status.st_ino))  # fmt: skip
        if watchdog_s:
            environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        command = shlex.split(" ".join(setting("ExecStart")).replace("$ARGS", shlex.join(options)))
        command[0] = place.program
        self.messages = []  # (time, text)
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", SANDBOX, "sh", place.textfiles, *prefix,
             *with_capabilities(setting("AmbientCapabilities") if capabilities is None else capabilities), *command],
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._log, env=environment,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self._socket.close()
        self._output.close()
        self._log.close()

    def output(self):
        return self._text(self._output)

    def log(self):
        return self._text(self._log).splitlines()

    @staticmethod
    def _text(file):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")

    def listen(self, seconds):
        """Takes what the service manager would hear for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                self.messages.append((time.monotonic(), self._socket.recv(4096).decode()))

    def wait_for(self, what, wanted, seconds):
        """Until WANTED() is true; listens meanwhile."""
        deadline = Deadline(seconds)
        while not wanted():
            if deadline.passed() or self.process.poll() is not None:
                raise Failure("not in time: %s; status %s; log: %s; messages: %s"
                              % (what, self.process.poll(), self.log(), self.messages))  # fmt: skip
            self.listen(0.1)

    def heard(self, word):
        return [at for at, text in self.messages if word in text.split("\n")]

    def wait_ready(self):
        self.wait_for("READY=1", lambda: self.heard("READY=1"), 60)

    def wait_log(self, *words, seconds=30, after=0):
        """A line of the log that has all the words; it."""
        found = lambda: [line for line in self.log()[after:] if all(word in line for word in words)]
        self.wait_for("a line with %s" % (words,), found, seconds)
        return found()[0]

    def stop(self):
        status = stop(self.process, signal.SIGTERM, 20)
        self.listen(0.2)
        return status
