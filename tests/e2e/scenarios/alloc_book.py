"""The truth of an allocation scenario: which bytes of the C library each site asked for, and which it gave back.

Used by the alloc_*.py scenarios. A site is a coroutine's qualified name; outside any task the running callback's,
and OUTSIDE where no event loop runs. Every block has at least LEAST bytes: what the interpreter needs for itself
meanwhile is smaller, and the tool is told --min-size LEAST. Sizes are those asked for.
"""

import collections
import ctypes
import json
import os
import sys
import sysconfig
import threading

import ledger

LEAST = 16384
OUTSIDE = "(outside the event loop)"
# There bytes come from a mimalloc of CPython's own (3.13, Objects/obmalloc.c), not from the C library.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
HUGE = 1 << 62

NO_BLOCK, POINTER, SIZE = None, ctypes.c_void_p, ctypes.c_size_t
SIGNATURES = {
    "malloc": (POINTER, SIZE),
    "calloc": (POINTER, SIZE, SIZE),
    "realloc": (POINTER, POINTER, SIZE),
    "reallocarray": (POINTER, POINTER, SIZE, SIZE),
    "aligned_alloc": (POINTER, SIZE, SIZE),
    "memalign": (POINTER, SIZE, SIZE),
    "valloc": (POINTER, SIZE),
    "pvalloc": (POINTER, SIZE),
    "posix_memalign": (ctypes.c_int, POINTER, SIZE, SIZE),
    "free": (NO_BLOCK, POINTER),
}


def c_library(loader):
    library = loader(None)
    for name, (result, *arguments) in SIGNATURES.items():
        getattr(library, name).restype = result
        getattr(library, name).argtypes = arguments
    return library


without_gil = c_library(ctypes.CDLL)  # every call gives up the lock
with_gil = c_library(ctypes.PyDLL)


class Block:
    """Memory of a site: bytes of Python's, or a pointer."""

    def __init__(self, account, size, data=None, pointer=None):
        self.account, self.size, self.data, self.pointer = account, size, data, pointer

    def free(self, library=without_gil):
        if self.data is not None:
            self.data = None
        else:
            library.free(self.pointer)
        self.account.gave(self.size)


class Account:
    """What one site took and gave."""

    def __init__(self, kind, name):
        self.kind, self.name = kind, name
        self._lock = threading.Lock()
        self.taken_bytes = self.given_bytes = self.taken_blocks = self.given_blocks = 0

    def took(self, size, blocks=1):
        with self._lock:
            self.taken_bytes += size * blocks
            self.taken_blocks += blocks

    def gave(self, size, blocks=1):
        with self._lock:
            self.given_bytes += size * blocks
            self.given_blocks += blocks

    def bytes(self, count):
        """An object of Python's of about COUNT bytes: calloc."""
        if FREE_THREADED:
            return self.malloc(count)
        data = bytes(count)
        self.took(sys.getsizeof(data))
        return Block(self, sys.getsizeof(data), data=data)

    def repeated(self, count):
        """The same by malloc."""
        if FREE_THREADED:
            return self.malloc(count)
        data = b"x" * count
        self.took(sys.getsizeof(data))
        return Block(self, sys.getsizeof(data), data=data)

    def call(self, name, *arguments, size, library=without_gil):
        """A function of SIGNATURES that returns a block of SIZE bytes."""
        pointer = getattr(library, name)(*arguments)
        assert pointer, name
        self.took(size)
        return Block(self, size, pointer=pointer)

    def malloc(self, size, library=without_gil):
        return self.call("malloc", size, size=size, library=library)

    def posix_memalign(self, alignment, size):
        pointer = ctypes.c_void_p()
        assert without_gil.posix_memalign(ctypes.addressof(pointer), alignment, size) == 0
        self.took(size)
        return Block(self, size, pointer=pointer.value)

    def realloc(self, block, size, library=without_gil):
        """BLOCK may be another site's: it is freed, and what comes back is this one's."""
        pointer = library.realloc(block.pointer, size)
        assert pointer
        block.account.gave(block.size)
        if size >= LEAST:
            self.took(size)
        return Block(self, size, pointer=pointer)

    def truth(self):
        return {
            "kind": self.kind,
            "coroutine": self.name,
            "allocated_bytes": self.taken_bytes - self.given_bytes,
            "allocated_blocks": self.taken_blocks - self.given_blocks,
            "allocated_total_bytes": self.taken_bytes,
            "freed_total_bytes": self.given_bytes,
        }


class Unwatched(Account):
    """What is not to be counted: from before the tool came, or below its threshold."""

    def took(self, size, blocks=1):
        pass

    gave = took


_accounts = collections.OrderedDict()
unwatched = Unwatched("alloc", "")


def account(name, kind="task"):
    return _accounts.setdefault((kind, name), Account(kind, name))


def of_callback(function):
    """The account of a callback that runs outside any task. The code of 3.8 to 3.10 has no qualified name."""
    name = function.__qualname__ if sys.version_info >= (3, 11) else function.__name__
    return account(name, "alloc")


def outside():
    return account(OUTSIDE, "alloc")


def truth(**more):
    sites = [each.truth() for each in _accounts.values() if each.taken_blocks]
    return dict({"pid": os.getpid(), "file": sys.argv[0], "sites": sites}, **more)


def barrier(**more):
    """Says the truth and stands still until the test has compared."""
    ledger.say(truth(**more))
    ledger.wait_for_go()


# What json allocates the first time is not part of any phase.
json.dumps(truth())
