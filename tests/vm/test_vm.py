#!/usr/bin/env python3
"""Real kernels: Debian's, each in a virtual machine of its own, with the program, its BPF programs and exact counts.

    test_vm.py [--write-table FILE] [SUITE...]    SUITE: bullseye bookworm trixie sid (default: all)

Needs qemu-system-x86_64, and root to fetch kernels and interpreters the first time; later no network. Writes TAP, what
each kernel said of itself as comments, and in the end the table of docs/kernels.md, which --write-table puts into FILE.
ASYNCLEAK_VM_ACCEL: qemu's accelerator. The default is tcg, emulation, since nested KVM may hang rather than fail.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import image

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
TOOL = os.environ.get("ASYNCLEAK_TOP", os.path.join(PROJECT, "build", "asyncleak-top"))
FLEET = os.environ.get("ASYNCLEAK_FLEET", "/var/cache/asyncleak-fleet")
ACCELERATOR = os.environ.get("ASYNCLEAK_VM_ACCEL", "tcg")
# Without cmpxchg16b: after an interrupt at it, qemu 7.2 emulates on with flags that are part of an address, and the
# kernel, whose allocator uses it (mm/slub.c), ends in a double fault.
PROCESSOR = "max,-cx16"
MACHINE_S = 900
MEMORY_MB = 2048

WORKS = ("doctor", "load", "tasks", "tasks-3.14", "reinit", "stacks", "census", "memory", "memory-3.14", "service", "complaints")
REFUSED = ("refusal", "complaints")
RUNGS = {"bullseye": REFUSED, "bookworm": WORKS, "trixie": WORKS, "sid": WORKS}
COLUMNS = ("doctor", "load", "tasks", "tasks-3.14", "reinit", "stacks", "census", "memory", "memory-3.14", "service")


class Machine:
    """One run of one kernel: what it wrote, read as TAP."""

    def __init__(self, kernel, archive, rungs, folder):
        self.rungs = rungs
        self.log = os.path.join(folder, "console.log")
        self.said = ""
        self.trouble = None
        command = (  # nice: the other tests that run meanwhile measure times
            "nice", "qemu-system-x86_64", "-accel", ACCELERATOR, "-cpu", PROCESSOR, "-smp", "2", "-m", str(MEMORY_MB),
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-serial", "file:" + self.log, "-serial", "stdio", "-kernel", kernel, "-initrd", archive,
            "-append", "console=ttyS0 panic=-1 quiet rdinit=/init rungs=" + ",".join(rungs),
        )  # fmt: skip
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=MACHINE_S)
            output = done.stdout
            if done.returncode != 0:
                self.trouble = "qemu: status %d: %s" % (done.returncode, done.stderr.decode(errors="replace"))
        except subprocess.TimeoutExpired as hung:
            output, self.trouble = hung.stdout or b"", "hangs: no end within %d s" % MACHINE_S
        self.said = output.decode(errors="replace").replace("\r", "")

    def results(self):
        """{rung: True or False}, for those it came to."""
        found = re.findall(r"^(ok|not ok) \d+ - (\S+)", self.said, re.MULTILINE)
        return {name: word == "ok" for word, name in found}

    def release(self):
        found = re.match(r"# (\S+)", self.said)
        return found.group(1) if found else "?"

    def passed(self):
        results = self.results()
        return self.trouble is None and all(results.get(name) for name in self.rungs)

    def console(self):
        with open(self.log, errors="replace") as log:
            return log.read()[-8000:]


def show(suite, machine):
    for line in machine.said.splitlines():
        print("    " + line)
    if not machine.passed():
        print("# %s: %s" % (suite, machine.trouble or "see above; its console:"))
        for line in machine.console().splitlines():
            print("# | " + line)
    sys.stdout.flush()


def table_of(machines):
    lines = ["| Debian | kernel | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for suite, machine in machines.items():
        results = machine.results()
        if "refusal" in machine.rungs:
            cells = ["refused, with the reason" if results.get("refusal") else "NOT REFUSED"] + [""] * (len(COLUMNS) - 1)
        else:
            cells = ["yes" if results.get(name) else "NO" for name in COLUMNS]
        lines.append("| %s | %s | %s |" % (suite, machine.release(), " | ".join(cells)))
    return "\n".join(lines) + "\n"


def write_table(path, table):
    with open(path) as file:
        text = file.read()
    between = re.compile(r"(<!-- made by make vmtest -->\n).*?(<!-- end -->)", re.DOTALL)
    with open(path, "w") as file:
        file.write(between.sub(lambda found: found.group(1) + table + found.group(2), text))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", default=list(RUNGS))
    parser.add_argument("--write-table", metavar="FILE")
    options = parser.parse_args()
    if not set(options.suites) <= set(RUNGS):
        parser.error("SUITE: one of " + " ".join(RUNGS))
    return options


def main():
    options = arguments()
    kernels = os.path.join(FLEET, "kernels")
    subprocess.run([os.path.join(HERE, "kernels.sh"), kernels, *options.suites], check=True)
    subprocess.run([os.path.join(PROJECT, "tests", "e2e", "fleet.sh"), FLEET], check=True)
    print("1..%d" % len(options.suites), flush=True)
    machines = {}
    with tempfile.TemporaryDirectory(prefix="asyncleak-vm-") as folder:
        archive = image.make(folder, TOOL, os.path.join(os.path.dirname(TOOL), "load_test"), FLEET)
        for number, suite in enumerate(options.suites, 1):
            machine = Machine(os.path.join(kernels, suite), archive, RUNGS[suite], folder)
            show(suite, machine)
            print("%s %d - %s %s" % ("ok" if machine.passed() else "not ok", number, suite, machine.release()), flush=True)
            machines[suite] = machine
    table = table_of(machines)
    print("\n".join("# " + line for line in table.splitlines()))
    if options.write_table:
        write_table(options.write_table, table)
    return 0 if all(machine.passed() for machine in machines.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
