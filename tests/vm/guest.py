#!/usr/bin/python3
"""PID 1 of a test machine: runs the rungs named on the kernel's command line (rungs=a,b), writes TAP, powers off.

Started by the kernel, from the initramfs of image.py, with the second serial port for its words: the first has the
kernel's own. Knows nothing of what a kernel is expected to do: that is test_vm.py's.
"""

import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

TESTS = "/asyncleak/tests"
TOOL = "/asyncleak/asyncleak-top"
PATIENCE = "8"  # an emulated processor is so much slower than the deadlines of tests/e2e suppose
HUNG_S = 600

BUSY = """import asyncio
async def job():
    await asyncio.sleep(0.01)
async def main():
    while True:
        await asyncio.create_task(job())
asyncio.run(main())"""

libc = ctypes.CDLL(None, use_errno=True)

MOUNTS = (
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("securityfs", "/sys/kernel/security"),
    ("proc", "/asyncleak/fleet/forky/proc"),
    ("tmpfs", "/asyncleak/fleet/forky/tmp"),
)


def mount_all():
    for kind, place in MOUNTS:
        os.makedirs(place, exist_ok=True)
        if libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None) != 0:
            raise OSError(ctypes.get_errno(), "mounting %s" % place)
    for place in ("/tmp", "/asyncleak/fleet/forky/tmp"):
        os.chmod(place, 0o1777)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, "/dev/" + name)


def loopback_up():
    """The transports of the census are sockets."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def run(*command):
    """A command's status, and what it said, in both streams."""
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "ASYNCLEAK_TOP": TOOL,
        "ASYNCLEAK_FLEET": "/asyncleak/fleet",
        "ASYNCLEAK_FLEET_ONLY": "3.14",
        "ASYNCLEAK_PATIENCE": PATIENCE,
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment, timeout=HUNG_S,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace")


def e2e(script, *arguments):
    return run("/usr/bin/python3", "%s/e2e/%s" % (TESTS, script), *arguments)


def doctor():
    return run(TOOL, "doctor")


def load():
    """Every program through the verifier, and a uprobe that counts."""
    return run("/asyncleak/load_test")


def scenario(name, interpreter):
    return e2e("run_e2e.py", "--scenario", name, "--interpreter", interpreter)


def service():
    """As the unit's user with its capabilities alone, and the drop-in's where doctor asks for that one: tasks count."""
    sys.path.insert(0, TESTS + "/e2e")
    import daemon

    unit = daemon.setting("AmbientCapabilities")
    status, said = run(*daemon.with_capabilities(unit), TOOL, "doctor")
    if status != 0 and "missing CAP_SYS_ADMIN" in said:
        daemon.UNIT = "/asyncleak/deploy/systemd/cap-sys-admin.conf"
        unit += daemon.setting("AmbientCapabilities")
        status, said = run(*daemon.with_capabilities(unit), TOOL, "doctor")
    if status != 0:
        return 1, said
    with subprocess.Popen(["/usr/bin/python3", "-c", BUSY]) as busy:
        options = ("--json", "-n", "4", "-p", str(busy.pid))
        status, frames = run(*daemon.with_capabilities(unit), TOOL, *options)
        busy.kill()
    created = [int(number) for number in re.findall(r'"created_total":(\d+)', frames)]
    said += "as a service: %s; created: %s" % (" ".join(unit), created)
    return (0 if status == 0 and max(created, default=0) > 0 else 1), said + ("" if created else frames)


def refusal():
    """One line that says what is missing, status 3, and neither data nor a half-started session."""
    status, said = run(TOOL, "--batch", "-n", "1")
    refused = status == 3 and said.count("\n") == 1 and re.match(r"asyncleak-top: kernel: Linux \S+ .*needs", said)
    return (0 if refused else 1), "status %d: %s" % (status, said)


def complaints():
    """What the kernel itself found wrong meanwhile."""
    with open("/dev/kmsg", "rb", buffering=0) as log:
        os.set_blocking(log.fileno(), False)
        lines = []
        while True:
            line = log.read(8192)
            if not line:
                break
            lines.append(line.decode(errors="replace").strip())
    bad = [line for line in lines if re.search(r"WARNING:|BUG:|Oops|RCU.*stall|hung task|lockdep", line)]
    return (1 if bad else 0), "\n".join(bad)


RUNGS = {
    "doctor": doctor,
    "load": load,
    "tasks": lambda: scenario("lifecycle", "machine"),
    "tasks-3.14": lambda: scenario("lifecycle", "debian-3.14"),
    "reinit": lambda: scenario("reinit", "machine"),
    "stacks": lambda: e2e("test_stacks.py", "-v"),
    "census": lambda: e2e("test_census.py", "-v", "AtRest.test_states__machine", "AtRest.test_transports__machine"),
    "memory": lambda: e2e("test_memory.py", "-v", "Truth.test_ways__machine"),
    "memory-3.14": lambda: e2e("test_memory.py", "-v", "Truth.test_ways__debian_3_14"),
    "service": service,
    "refusal": refusal,
    "complaints": complaints,
}


def say(text):
    with open("/dev/ttyS1", "w") as console:
        console.write(text)


def outcome(name):
    try:
        status, said = RUNGS[name]()
    except subprocess.TimeoutExpired as hung:
        return 1, "hangs: no end within %d s\n%s" % (HUNG_S, (hung.stdout or b"").decode(errors="replace"))
    except OSError:
        return 1, traceback.format_exc()
    return status, said


def main():
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    mount_all()
    loopback_up()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with open("/proc/cmdline") as line:
        names = re.search(r"\brungs=(\S+)", line.read()).group(1).split(",")
    say("# %s\n1..%d\n" % (os.uname().release, len(names)))
    for number, name in enumerate(names, 1):
        start = time.monotonic()
        status, said = outcome(name)
        comment = "".join("# %s\n" % line for line in said.splitlines())
        took = time.monotonic() - start
        say("%s%s %d - %s # %.0f s\n" % (comment, "ok" if status == 0 else "not ok", number, name, took))


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        say("Bail out! %s\n" % traceback.format_exc().replace("\n", "\n# "))
    finally:
        os.sync()
        libc.reboot(ctypes.c_int(0x4321FEDC))  # RB_POWER_OFF
