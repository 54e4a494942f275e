#!/usr/bin/env python3
"""The .deb in bare Debian roots: installs, runs, upgrades, is removed, is purged; and what lintian says of it.

    test_deb.py [-v] [TEST...]      unittest's own options; ASYNCLEAK_BUILD: where `make deb` has left it
"""

import glob
import os
import subprocess
import unittest

import root

PROGRAM = "/usr/bin/asyncleak-top"
UNIT = "/usr/lib/systemd/system/asyncleak-top.service"
CONFFILE = "/etc/default/asyncleak-top"
ENABLED = "/etc/systemd/system/multi-user.target.wants/asyncleak-top.service"
METRICS = "/var/lib/prometheus/node-exporter"


def package():
    found = glob.glob(os.path.join(root.BUILD, "asyncleak-top_*.deb"))
    assert len(found) == 1, "make deb: %s" % found
    return found[0]


class Contents(unittest.TestCase):
    def test_lintian(self):
        argv = ["lintian", "--allow-root", "--fail-on", "error,warning", package()]
        done = subprocess.run(argv, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_name_and_relations(self):
        fields = dict(
            line.split(": ", 1)
            for line in subprocess.check_output(["dpkg-deb", "--info", package()], text=True).splitlines()
            if line.startswith(" ") and not line.startswith("  ") and ": " in line
        )
        fields = {key.strip(): value for key, value in fields.items()}
        name = "asyncleak-top_%s_%s.deb" % (fields["Version"], fields["Architecture"])
        self.assertEqual(os.path.basename(package()), name)
        self.assertEqual(fields["Recommends"], "prometheus-node-exporter")
        # Their sonames change from one Debian to the next: linked in.
        self.assertNotRegex(fields["Depends"], "fmt|zydis|bpftool|python")
        self.assertRegex(fields["Depends"], r"\bacl\b.*libbpf1 \(>= .*libc6 \(>= ")

    def test_everything_is_there(self):
        listed = subprocess.check_output(["dpkg-deb", "--contents", package()], text=True).splitlines()
        files = {line.split()[-1].lstrip("."): line.split()[:2] for line in listed if not line.endswith("/")}
        for path in (PROGRAM, UNIT, CONFFILE, "/usr/share/man/man8/asyncleak-top.8.gz",
                     "/usr/share/bash-completion/completions/asyncleak-top",
                     "/usr/share/zsh/vendor-completions/_asyncleak-top",
                     "/usr/share/fish/vendor_completions.d/asyncleak-top.fish",
                     "/usr/lib/sysusers.d/asyncleak-top.conf", "/usr/lib/tmpfiles.d/asyncleak-top.conf",
                     "/usr/share/asyncleak-top/prometheus/rules.yml",
                     "/usr/share/asyncleak-top/grafana/asyncleak-top.json",
                     "/usr/share/doc/asyncleak-top/copyright", "/usr/share/doc/asyncleak-top/changelog.gz"):  # fmt: skip
            self.assertEqual(files[path], ["-rwxr-xr-x" if path == PROGRAM else "-rw-r--r--", "root/root"], path)


class Life:
    """From the first installation to purge, in one root."""

    def test_life(self):
        with root.Root(os.path.join(root.FLEET, "bare-" + self.suite)) as bare:
            before, users = bare.files(), bare.run("getent", "passwd")
            bare.put(package(), "/tmp/asyncleak-top.deb")
            install = ("apt-get", "install", "-qq", "-y", "--no-install-recommends")
            bare.run(*install, "/tmp/asyncleak-top.deb")
            self.runs(bare)
            self.not_enabled(bare)
            self.assertEqual("asyncleak-top:" in bare.run("getent", "passwd"), self.has_systemd)
            if self.has_systemd:
                self.assertIn("user:asyncleak-top:rwx", bare.run("getfacl", "-p", METRICS))
                # Of somebody else: purge leaves it, and the folder with it, but nothing of our user's.
                bare.run("touch", METRICS + "/theirs.prom")

            with open(root.file_of(bare.path, CONFFILE), "a", encoding="ascii") as file:
                file.write("# mine\n")
            bare.run(*install, "--reinstall", "/tmp/asyncleak-top.deb")
            self.not_enabled(bare)
            self.runs(bare)
            with open(root.file_of(bare.path, CONFFILE), encoding="ascii") as file:
                self.assertTrue(file.read().endswith("# mine\n"), "an upgrade lost what the administrator wrote")

            bare.run("apt-get", "remove", "-qq", "-y", "asyncleak-top")
            self.assertFalse(bare.exists(PROGRAM))
            if self.has_systemd:
                self.assertNotIn("user:", bare.run("getfacl", "-p", METRICS).replace("user::", ""))
            self.assertTrue(bare.exists(CONFFILE))
            if self.has_systemd:  # `systemctl enable` of the administrator
                os.symlink(UNIT, root.file_of(bare.path, ENABLED))
            bare.run("apt-get", "purge", "-qq", "-y", "--auto-remove", "asyncleak-top")
            after = bare.files()
            # Libraries stay that a package of the system suggests. The system keeps copies of its lists of users.
            owned = set(bare.run("sh", "-c", "cat /var/lib/dpkg/info/*.list").splitlines())
            copies = {"/etc/ld.so.cache", *("/etc/%s-" % name for name in ("passwd", "group", "shadow", "gshadow"))}
            changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
            self.assertEqual(changed - owned - copies, self.theirs())
            self.assertEqual(bare.run("getent", "passwd"), users)

    def theirs(self):
        if not self.has_systemd:
            return set()
        return {METRICS + "/theirs.prom", METRICS, os.path.dirname(METRICS)}

    def runs(self, bare):
        self.assertRegex(bare.run(PROGRAM, "--version"), r"^asyncleak-top \d+\.\d+\.\d+\n$")
        with root.leaking(bare.argv()) as process:
            self.assertEqual(bare.tasks_seen(PROGRAM, process.pid), 7)

    def not_enabled(self, bare):
        wanted = glob.glob(root.file_of(bare.path, "/etc/systemd/system/*/asyncleak-top.service"))
        self.assertEqual(wanted, [], "the installation has enabled the unit")


class Debian12(Life, unittest.TestCase):
    suite, has_systemd = "bookworm", False


class Debian13(Life, unittest.TestCase):
    suite, has_systemd = "trixie", True


if __name__ == "__main__":
    root.alone()
    unittest.main()
