"""The initramfs of a test machine: the program under test, two interpreters, the tests, and what these need.

Used by test_vm.py. Knows which files, not what is done with them: that is guest.py's, the machine's PID 1.
"""

import glob
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
# What the interpreters' packages have and no test imports: half of an image that lies in memory.
UNNEEDED = ("test", "lib2to3", "idlelib", "tkinter", "turtledemo", "pydoc_data", "ensurepip", "config-*", "uvloop*")
COMMANDS = ("sh", "chroot", "sleep", "cat", "true", "setpriv")


def libraries_of(files):
    """What the dynamic loader would map for these files, and the loader."""
    found = set()
    for each in files:
        listing = subprocess.run(["ldd", each], capture_output=True, text=True).stdout
        found |= set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", listing, re.MULTILINE))
    return found


class Image:
    def __init__(self, folder):
        self.folder = folder
        for name in ("bin", "sbin", "lib", "lib64"):
            os.makedirs(os.path.join(folder, "usr", name))
            os.symlink("usr/" + name, os.path.join(folder, name))

    def put(self, source, place, executable=False):
        target = self.folder + place
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
        os.chmod(target, 0o755 if executable else os.stat(source).st_mode & 0o777)

    def put_tree(self, source, place):
        ignore = shutil.ignore_patterns(*UNNEEDED)
        shutil.copytree(source, self.folder + place, symlinks=True, ignore=ignore, dirs_exist_ok=True)

    def pack(self, path):
        """newc: Documentation/driver-api/early-userspace/buffer-format.rst. Not compressed: that costs more to undo."""
        with open(path, "wb") as archive:
            names = subprocess.Popen(["find", ".", "-print0"], cwd=self.folder, stdout=subprocess.PIPE)
            command = ["cpio", "--quiet", "--null", "--create", "--format=newc", "--owner=0:0"]
            subprocess.run(command, cwd=self.folder, stdin=names.stdout, stdout=archive, check=True)
            if names.wait() != 0:
                raise RuntimeError("find: status %d" % names.returncode)


def standard_library(interpreter):
    code = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    return subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def make(folder, tool, load_test, fleet):
    """Writes FOLDER/initramfs.cpio; its path."""
    image = Image(os.path.join(folder, "root"))
    python = os.path.realpath("/usr/bin/python3")
    library = standard_library(python)
    commands = [shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in COMMANDS]
    extensions = glob.glob(library + "/lib-dynload/*.so")
    for path in libraries_of([tool, load_test, python, *commands, *extensions]):
        image.put(path, path, executable=True)
    for path in (python, *commands):
        image.put(path, path, executable=True)
    os.symlink(os.path.basename(python), image.folder + "/usr/bin/python3")
    image.put_tree(library, library)
    image.put(tool, "/asyncleak/asyncleak-top", executable=True)
    image.put(load_test, "/asyncleak/load_test", executable=True)
    image.put_tree(TESTS + "/e2e", "/asyncleak/tests/e2e")
    image.put_tree(os.path.dirname(TESTS) + "/deploy/systemd", "/asyncleak/deploy/systemd")
    root = os.path.join(fleet, "forky")
    for part in ("bin", "lib", "lib64", "usr/lib64", "usr/bin/python3.14", "usr/lib/python3.14", "usr/lib/x86_64-linux-gnu"):
        source, place = os.path.join(root, part), "/asyncleak/fleet/forky/" + part
        if os.path.islink(source):
            os.makedirs(os.path.dirname(image.folder + place), exist_ok=True)
            os.symlink(os.readlink(source), image.folder + place)
        elif os.path.isdir(source):
            image.put_tree(source, place)
        else:
            image.put(source, place, executable=True)
    helper = image.folder + "/asyncleak/tests/e2e/scenarios/alloc_blocks"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", helper + ".so", helper + ".c"], check=True)
    image.put(os.path.join(HERE, "guest.py"), "/init", executable=True)
    archive = os.path.join(folder, "initramfs.cpio")
    image.pack(archive)
    return archive
