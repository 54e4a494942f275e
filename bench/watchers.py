"""Who watches in memory.py and steps.py: bcc's memleak, empty programs at well-chosen places, our program.

A watcher is a context manager of a PID that returns from its entry when it is attached.
"""

import collections
import contextlib
import glob
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile

from measure import BENCH, Deadline, Tool, floor_programs, on_tool_cpu

MEMLEAK = os.environ.get("ASYNCLEAK_MEMLEAK", "/var/cache/asyncleak-memleak")
ENTRY_AND_RETURN, ENTRY = ("passed", "returned"), ("passed",)
FUNCTIONS = {"malloc": ENTRY_AND_RETURN, "calloc": ENTRY_AND_RETURN, "realloc": ENTRY_AND_RETURN, "free": ENTRY}
# What the kernel emulates instead of single-stepping it: push, jcc, jmp, call, nop.
EMULATED = re.compile(r"(push +%|j[a-z]+ +[0-9a-f]+|call +[0-9a-f]+|nop)")
INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t[0-9a-f ]+\t(.*)$", re.MULTILINE)
# Of a link's fdinfo, of one uprobe or many (kernel/bpf/syscall.c, kernel/trace/bpf_trace.c, Linux 6.18).
KIND = re.compile(r"^(?:event|link)_type:\t(uprobe|uretprobe)(?:_multi)?$", re.MULTILINE)
OFFSET = re.compile(r"^(?:offset:|\d+)\t *0x([0-9a-f]+)", re.MULTILINE)
MAPPED_CODE = re.compile(r"^(\w+)-(\w+) r-xp (\w+) \S+ \d+ +(/.*)$", re.MULTILINE)
PROGRAMS = {"uprobe": "passed", "uretprobe": "returned"}


def c_library(pid):
    with open("/proc/%d/maps" % pid) as maps:
        return re.search(r"\S+/libc\.so\.6$|\S+/libc-2\.\d+\.so$", maps.read(), re.MULTILINE)[0]


def exported(library):
    """Function -> address; in a C library that is also the offset in its file."""
    symbols = subprocess.run(["nm", "-D", library], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^([0-9a-f]+) \w (\w+)@@", symbols, re.MULTILINE)
    return {name: int(address, 16) for address, name in found if name in FUNCTIONS}


def first_emulated(library, entry):
    """Of the first instructions of a function the one that a probe is cheap on."""
    span = ["--start-address=%#x" % entry, "--stop-address=%#x" % (entry + 32)]
    text = subprocess.run(["objdump", "-d", *span, library], capture_output=True, text=True, check=True).stdout
    for address, instruction in INSTRUCTION.findall(text):
        if EMULATED.match(instruction):
            return int(address, 16)
    sys.exit("no instruction to probe cheaply in %s+%#x" % (library, entry))


def allocator_places(pid, entries=False, returns=True):
    """[(program, file, offset)] of the least that sees every block; ENTRIES: at the function's entry, naively.

    Without RETURNS: what remains when the pointer can be had without return probes, once for each call.
    """
    library = c_library(pid)
    places = []
    for name, address in exported(library).items():
        offset = address if entries else first_emulated(library, address)
        programs = FUNCTIONS[name] if returns else ENTRY
        places += [(program, library, offset) for program in programs]
    return places


def breakpoints(pid):
    """[(file, offset)] where the code of a process is not what is in its files: there are uprobes."""
    found = []
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb") as memory:
        for begin, end, offset, path in MAPPED_CODE.findall(maps.read()):
            begin, end, offset = (int(each, 16) for each in (begin, end, offset))
            memory.seek(begin)
            with open(path, "rb") as file:
                file.seek(offset)
                loaded, stored = memory.read(end - begin), file.read(end - begin)
            if loaded != stored:
                found += [(path, offset + at) for at, byte in enumerate(stored) if loaded[at] != byte]
    return found


def our_places(pid):
    """[(program, file, offset)] of the uprobes of our program in the mode malloc."""
    return places_of_tool(pid, lambda frame: counts(frame, pid, "malloc"), "-m", "malloc")


def places_of_tool(pid, attached, *options):
    """The same of our program with these options, from the first frame on for which ATTACHED is true."""
    kinds = collections.defaultdict(set)
    with Tool("--json", *options, "-p", str(pid)) as tool:
        tool.frame_where(attached, "%d watched" % pid, Deadline(20))
        for path in glob.glob("/proc/%d/fdinfo/*" % tool.process.pid):
            with contextlib.suppress(FileNotFoundError), open(path) as info:
                text = info.read()
                for kind in KIND.findall(text):
                    for offset in OFFSET.findall(text):
                        kinds[int(offset, 16)].add(PROGRAMS[kind])
        if not kinds:
            sys.exit("this kernel does not say where uprobes are (Linux 6.18 does: /proc/PID/fdinfo)")
        places = [(program, file, at) for file, at in breakpoints(pid) for program in sorted(kinds[at])]
    return places


def floor(places_of, *options):
    """A watcher: empty programs. With "--count" they count, and their sums are printed."""

    @contextlib.contextmanager
    def watch(pid):
        places = places_of(pid)
        with floor_programs(pid, places, *options) as counts:
            yield
        for (program, file, offset), count in zip(places, counts if options else ()):
            print("%12s %-8s %s+%#x" % (count, program, file, offset), file=sys.stderr)

    return watch


@contextlib.contextmanager
def memleak(pid):
    """bcc's, as one starts it: every block, a summary each 5 seconds. On a terminal, else it keeps its words."""
    subprocess.run([os.path.join(BENCH, "memleak.sh"), MEMLEAK], check=True)
    terminal, its_end = pty.openpty()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        library = folder + "/c"  # -O takes 31 characters and no more (memleak.c 0.31: char object[32])
        os.symlink(c_library(pid), library)
        command = [MEMLEAK + "/memleak", "-p", str(pid), "-O", library]
        with subprocess.Popen(command, stdout=its_end, stderr=its_end, preexec_fn=on_tool_cpu) as process:
            os.close(its_end)
            said = b""
            while b"Tracing outstanding" not in said:
                said += os.read(terminal, 1 << 16)  # OSError when it has ended without attaching
            yield
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(OSError):  # the end of a terminal
                while said := os.read(terminal, 1 << 16):
                    pass
    os.close(terminal)


def asyncleak(*options):
    """A watcher: our program on one process, counting allocations unless the mode is "objects"."""
    mode = options[options.index("--memory") + 1]

    @contextlib.contextmanager
    def watch(pid):
        with Tool("--json", "-d", "1", "-p", str(pid), *options, before=on_tool_cpu) as tool:
            tool.frame_where(lambda frame: counts(frame, pid, mode), "%d counted, %s" % (pid, mode), Deadline(20))
            yield
            last = tool.frame_where(lambda frame: True, "a frame", Deadline(20))
            if not counts(last, pid, mode):
                sys.exit("%s did not stay on: %s" % (mode, [row.get("allocations") for row in last["processes"]]))

    return watch


def counts(frame, pid, mode):
    """Is PID watched, in this mode?"""
    for row in frame["processes"]:
        if row["pid"] == pid and row["coverage"].get("tasks") in ("exact", "since-attach"):
            allocations = row.get("allocations")
            return mode == "objects" or (allocations is not None and allocations["mode"] == mode)
    return False
