#!/usr/bin/env python3
"""The same source gives the same bytes, in another folder, time zone and umask, and without a network.

    test_reproducible.py [-v]       unittest's own options; ASYNCLEAK_BUILD: where `make deb static` has left its own

The second build is of `make dist`'s tarball, so that one build answers for both. It looks up in ccache what the first
has compiled; CCACHE_DISABLE=1 compiles everything again.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import root

OTHER = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "HOME": os.path.expanduser("~"), "PATH": os.environ["PATH"]}


def git(*arguments):
    return subprocess.check_output(["git", *arguments], cwd=root.PROJECT, text=True).strip()


def hash_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Reproducible(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The tree as it is: with what is not committed, if there is.
        cls.commit = git("stash", "create") or git("rev-parse", "HEAD")
        cls.folder = tempfile.mkdtemp(prefix="asyncleak-again-", dir=root.FLEET)
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.tarball = cls.dist(root.PROJECT, cls.folder)

    @classmethod
    def dist(cls, tree, folder):
        subprocess.run([os.path.join(tree, "tools/dist"), folder, cls.commit], check=True, env=OTHER, umask=0o077)
        (made,) = glob.glob(folder + "/*.tar.xz")
        return made

    def test_tarball(self):
        again = os.path.join(self.folder, "clone")
        subprocess.run(["git", "clone", "--quiet", root.PROJECT, again], check=True)
        subprocess.run(["git", "fetch", "--quiet", root.PROJECT, self.commit], cwd=again, check=True)
        os.mkdir(again + "/made")
        self.assertEqual(hash_of(self.dist(again, again + "/made")), hash_of(self.tarball))
        with tarfile.open(self.tarball) as archive:
            members = archive.getmembers()
        self.assertEqual({(one.uid, one.gid, one.uname, one.mode & 0o22) for one in members}, {(0, 0, "root", 0)})
        self.assertEqual({one.mtime for one in members}, {int(git("log", "-1", "--format=%ct", self.commit))})
        files = [one.name.split("/", 1)[1] for one in members if not one.isdir()]
        self.assertEqual(files, git("ls-tree", "-r", "--name-only", self.commit).splitlines())

    def test_offline_build_is_the_same(self):
        with tarfile.open(self.tarball) as archive:
            archive.extractall(self.folder)
        (source,) = glob.glob(self.folder + "/asyncleak-top-*/")
        # As if made from the commit that the first build was made from, when that is not what lies here.
        environment = {**OTHER, "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
        if "CCACHE_DISABLE" in os.environ:
            environment["CCACHE_DISABLE"] = "1"
        zydis = "-DZYDIS_URL=file://" + os.path.join(root.BUILD, "zydis.tar.gz")
        targets = ("deb", "asyncleak-top-static", "asyncleak-top")
        for command in (["cmake", "--preset", "release", zydis, "-DBUILD_TESTING=OFF"],
                        ["cmake", "--build", "build", "--target", *targets]):  # fmt: skip
            done = subprocess.run(["unshare", "--net", *command], cwd=source, env=environment, umask=0o077,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        made = ["asyncleak-top", "asyncleak-top-packaged", "asyncleak-top-static"]
        made += [os.path.basename(path) for path in glob.glob(root.BUILD + "/*.deb")]
        self.assertEqual(len(made), 4)
        for name in made:
            with self.subTest(name):
                with open(os.path.join(source, "build", name), "rb") as file:
                    self.assertNotIn(self.folder.encode(), file.read())
                self.assertEqual(hash_of(os.path.join(source, "build", name)), hash_of(os.path.join(root.BUILD, name)))


if __name__ == "__main__":
    root.alone()
    unittest.main()
