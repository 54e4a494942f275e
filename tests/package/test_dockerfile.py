#!/usr/bin/env python3
"""deploy/docker/Dockerfile without Docker: each step in a bare Debian root, then the program in what it leaves.

    test_dockerfile.py [-v]     unittest's own options

The layer with the build's packages is kept in the fleet's folder under the hash of what made it, as Docker does. What
is compiled is looked up in the machine's ccache, if it has one.
"""

import fnmatch
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import root

DOCKERFILE = "deploy/docker/Dockerfile"
INSTALLS = "RUN tools/install-packages build"
OFFLINE = "RUN make static"
CCACHE = os.environ.get("CCACHE_DIR", os.path.expanduser("~/.cache/ccache"))


def instructions():
    """[("RUN", "make static"), ...]"""
    with open(os.path.join(root.PROJECT, DOCKERFILE), encoding="ascii") as file:
        text = re.sub(r"^\s*#.*\n", "", file.read(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def context(folder):
    """What `docker build .` sends: the tree as git knows it, without what .dockerignore names."""
    with open(os.path.join(root.PROJECT, ".dockerignore"), encoding="ascii") as file:
        ignored = file.read().split()
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    known = subprocess.check_output(listing, cwd=root.PROJECT)
    for name in known.decode().split("\0")[:-1]:
        source, top = os.path.join(root.PROJECT, name), name.split("/")[0]
        if os.path.lexists(source) and not any(fnmatch.fnmatch(top, pattern) for pattern in ignored):
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            shutil.copy2(source, os.path.join(folder, name), follow_symlinks=False)


class Stage:
    """The state of one FROM."""

    def __init__(self, machine):
        self.machine, self.folder, self.environment, self.entry = machine, "/", {}, None

    def run(self, command, *wrapper):
        argv = [*wrapper, *self.machine.argv("sh", "-c", "cd %s && %s" % (shlex.quote(self.folder), command))]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **self.environment}
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        if done.returncode:
            raise AssertionError("RUN %s: status %d:\n%s" % (command, done.returncode, done.stdout[-4000:]))

    def copy(self, source, target):
        """SOURCE as the host sees it; a folder's contents, not the folder, as COPY does."""
        into = root.file_of(self.machine.path, os.path.join(self.folder, target))
        if os.path.isdir(source):
            shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True)
            return
        if target.endswith("/"):
            into = os.path.join(into, os.path.basename(source))
        os.makedirs(os.path.dirname(into), exist_ok=True)
        shutil.copy2(source, into)


class Dockerfile(unittest.TestCase):
    def test_image(self):
        scratch = tempfile.mkdtemp(prefix=".docker-", dir=root.FLEET)
        self.addCleanup(shutil.rmtree, scratch)
        sent = os.path.join(scratch, "context")
        context(sent)
        stages, stage = {}, None
        for kind, rest in instructions():
            with self.subTest(instruction="%s %s" % (kind, rest)):
                if kind == "FROM":
                    stage = self.begin(rest.split(), os.path.join(scratch, "layer-%d" % len(stages)))
                    stages[rest.split()[-1]] = stage
                else:
                    self.step(stage, stages, kind, rest, sent)
        self.assertEqual(list(stages), ["build", "scratch"])
        self.works(stage)

    def begin(self, words, layer):
        if words[0] == "scratch":
            return Stage(self.enter(root.Root()))
        self.assertEqual(words, ["debian:12-slim", "AS", "build"])
        return Stage(self.enter(root.Root(self.with_packages(), layer)))

    def with_packages(self):
        """The layers once the packages of the build are installed, the uppermost first."""
        steps = instructions()
        until = [" ".join(step) for step in steps].index(INSTALLS) + 1
        with open(os.path.join(root.PROJECT, "tools/install-packages"), encoding="ascii") as file:
            packages = re.search(r"^build='.*?'$", file.read(), re.MULTILINE | re.DOTALL)[0]
        key = hashlib.sha256(repr((steps[:until], packages)).encode()).hexdigest()[:16]
        bare, kept = os.path.join(root.FLEET, "bare-bookworm"), os.path.join(root.FLEET, "docker-" + key)
        if not os.path.isdir(kept):
            self.install(bare, kept, steps[1:until])
        return "%s/upper:%s" % (kept, bare)

    def install(self, bare, kept, steps):
        new = tempfile.mkdtemp(prefix=".docker-", dir=root.FLEET)
        with root.Root(bare, new) as machine:
            stage = Stage(machine)
            for kind, rest in steps:
                self.step(stage, {}, kind, rest, root.PROJECT)
            machine.run("apt-get", "clean")
        os.rename(new, kept)

    def enter(self, machine):
        self.addCleanup(machine.__exit__)
        return machine

    def step(self, stage, stages, kind, rest, sent):
        if kind == "RUN" and "RUN " + rest == OFFLINE:
            self.compile(stage, rest)
        elif kind == "RUN":
            stage.run(rest)
        elif kind == "WORKDIR":
            os.makedirs(root.file_of(stage.machine.path, rest), exist_ok=True)
            stage.folder = rest
        elif kind == "COPY":
            words = rest.split()
            other = words.pop(0)[len("--from="):] if rest.startswith("--from=") else None
            source, target = words
            origin = stages[other].machine.path if other else sent
            stage.copy(root.file_of(origin, source), target)
        elif kind == "ENV":
            stage.environment.update(word.split("=", 1) for word in shlex.split(rest))
        elif kind == "ENTRYPOINT":
            stage.entry = re.findall(r'"([^"]*)"', rest)
        else:  # what a person may change without this test: nothing that is run here
            self.assertIn((kind, rest), (("USER", "0:0"), ("HEALTHCHECK", "NONE")))

    def compile(self, stage, command):
        if os.path.isdir(CCACHE):
            os.makedirs(root.file_of(stage.machine.path, "/root/.cache/ccache"), exist_ok=True)
            stage.machine.mount(root.file_of(stage.machine.path, "/root/.cache/ccache"), "--bind", CCACHE)
        stage.run(command, "unshare", "--net")

    def works(self, stage):
        """With the capabilities that the comment at the top tells Docker to give, and no other."""
        (program,) = stage.entry
        with open(os.path.join(root.PROJECT, DOCKERFILE), encoding="ascii") as file:
            given = re.findall(r"--cap-add=(\w+)", file.read().split("FROM", 1)[0])
        self.assertEqual(len(given), 5)
        state = subprocess.check_output(["capsh", "--print"], text=True)
        every = re.search(r"^Bounding set =(.*)$", state, re.MULTILINE)
        rest = ",".join(set(every[1].split(",")) - {"cap_" + name.lower() for name in given})
        with root.leaking() as process:
            argv = ["/usr/sbin/capsh", "--chroot=" + stage.machine.path, "--drop=" + rest, "--no-new-privs",
                    "--shell=" + program, "--", "--json", "-n", "1", "-p", str(process.pid)]  # fmt: skip
            done = subprocess.run(argv, capture_output=True, text=True, env=stage.environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            sites = json.loads(done.stdout)["sites"]
            self.assertIn((root.LEAK, 7), [(site["coroutine"], site["outstanding"]) for site in sites])


if __name__ == "__main__":
    root.alone()
    unittest.main()
