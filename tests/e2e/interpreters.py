"""The one list of interpreters the e2e tests run on: fleet roots, pyenv versions, the machine's own.

Used by run_e2e.py, the other e2e scripts and bench/. Knows nothing of the tool or the scenarios.
"""

import contextlib
import glob
import os
import re
import shutil
import tempfile
from dataclasses import dataclass

FLEET = os.environ.get("ASYNCLEAK_FLEET", "/var/cache/asyncleak-fleet")
FLEET_VERSIONS = (("bullseye", "3.9"), ("bookworm", "3.11"), ("trixie", "3.13"), ("forky", "3.14"), ("forky", "3.15"))
if "ASYNCLEAK_FLEET_ONLY" in os.environ:  # tests/vm: a machine with some of them
    FLEET_VERSIONS = tuple(each for each in FLEET_VERSIONS if each[1] in os.environ["ASYNCLEAK_FLEET_ONLY"].split(","))
PYENV_VERSIONS = os.path.join(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")), "versions")


@dataclass(frozen=True)
class Interpreter:
    name: str
    version: tuple  # (3, 11)
    executable: str  # as the target itself sees it
    root: str = ""  # chroot; empty: the machine's own file system

    def argv(self, *arguments):
        prefix = ["chroot", self.root] if self.root else []
        return prefix + [self.executable, *arguments]

    @contextlib.contextmanager
    def place(self, folder):
        """A copy of FOLDER where the target can read it; yields the path as the target sees it."""
        base = os.path.join(self.root or "/", "tmp")
        copy = tempfile.mkdtemp(prefix="asyncleak-e2e-", dir=base)
        try:
            os.chmod(copy, 0o755)
            shutil.copytree(folder, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            yield copy[len(self.root):]
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def _version(text):
    return tuple(int(part) for part in text.split(".")[:2])


def _fleet():
    for suite, version in FLEET_VERSIONS:
        root = os.path.join(FLEET, suite)
        if os.path.exists("%s/usr/bin/python%s" % (root, version)):
            yield Interpreter("debian-" + version, _version(version), "/usr/bin/python" + version, root)


def _pyenv():
    for folder in glob.glob(os.path.join(PYENV_VERSIONS, "3.*")):
        number = re.fullmatch(r"(3\.\d+)\.\d+t?", os.path.basename(folder))
        executable = number and os.path.join(folder, "bin", "python" + number[1])
        if number and _version(number[1]) >= (3, 8) and os.path.exists(executable):
            yield Interpreter("pyenv-" + os.path.basename(folder), _version(number[1]), executable)


def _machine():
    if os.path.exists("/usr/bin/python3"):
        target = os.path.basename(os.path.realpath("/usr/bin/python3"))
        number = re.fullmatch(r"python(3\.\d+)", target)
        if number and _version(number[1]) >= (3, 8):
            yield Interpreter("machine", _version(number[1]), "/usr/bin/python3")


def _others():
    """Executables named in ASYNCLEAK_PYTHONS, colon-separated: a free-threaded build, a distribution's own."""
    for executable in filter(None, os.environ.get("ASYNCLEAK_PYTHONS", "").split(":")):
        number = re.search(r"python(3\.\d+)t?$", executable)
        if not number or not os.access(executable, os.X_OK):
            raise SystemExit("ASYNCLEAK_PYTHONS: %s is not an executable called python3.N" % executable)
        yield Interpreter("other-" + os.path.basename(executable), _version(number[1]), executable)


def all_interpreters():
    return sorted([*_fleet(), *_pyenv(), *_machine(), *_others()], key=lambda each: (each.version, each.name))


def missing():
    """Fleet interpreters that are not there: a run without them would say less than it seems to."""
    present = {each.name for each in _fleet()}
    return ["debian-" + version for _, version in FLEET_VERSIONS if "debian-" + version not in present]
