#!/usr/bin/env python3
"""docs/fleet.md word by word, from a bare Debian 12 to an alert that names coroutine and line, in under ten minutes.

    test_fleet_doc.py [-v]      unittest's own options; ASYNCLEAK_BUILD: where `make deb` has left the package

The commands are those of the page: what is not marked, what is marked without-systemd, and last what is marked later.
"""

import glob
import os
import re
import signal
import subprocess
import time
import unittest

import root

PAGE = os.path.join(root.PROJECT, "docs", "fleet.md")
LIMIT_S = 600
LATER_S = 180  # from the last command to the alert, with the intervals of Debian's configuration


def blocks():
    """[(mark, commands)] of the page's first section."""
    with open(PAGE, encoding="utf-8") as file:
        section = re.search(r"^## From a bare.*?(?=^## )", file.read(), re.MULTILINE | re.DOTALL).group(0)
    return re.findall(r"^```sh ?([\w-]*)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def marked(*marks):
    return [commands for mark, commands in blocks() if mark in marks]


def line_of(text):
    """Where the page's program has it, as the alert says it."""
    program = re.search(r"leaky\.py <<'END'\n(.*?)^END$", "".join(marked("")), re.MULTILINE | re.DOTALL).group(1)
    return 1 + next(number for number, line in enumerate(program.splitlines()) if text in line)


class OwnNetwork:
    """The ports of the page are those that everybody uses: a network with nothing but a loopback."""

    def __enter__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep infinity"],
                                       stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert self.holder.stdout.readline() == "up\n"
        return ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


def end_all_in(path):
    """Ends what was left running in the root PATH, the program first: it takes its probes out."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in glob.glob("/proc/[0-9]*"):
            try:
                if os.readlink(process + "/root") == path:
                    os.kill(int(os.path.basename(process)), number)
            except OSError:
                continue  # it has ended
        time.sleep(3)


class Page(unittest.TestCase):
    def setUp(self):
        self.bare = self.enterContext(root.Root(os.path.join(root.FLEET, "bare-bookworm")))
        self.addCleanup(end_all_in, self.bare.path)
        # As in Debian's own container images: installing starts nothing.
        policy = root.file_of(self.bare.path, "/usr/sbin/policy-rc.d")
        with open(policy, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
        # Every machine has one; it is not debootstrap that writes it.
        with open(root.file_of(self.bare.path, "/etc/hosts"), "w", encoding="ascii") as file:
            file.write("127.0.0.1 localhost\n")
        (package,) = glob.glob(os.path.join(root.BUILD, "asyncleak-top_*.deb"))
        self.bare.put(package, "/root/" + os.path.basename(package))

    def run_in(self, commands, prefix=()):
        """Their status, and what they said. What they leave running does not hold the pipe: the page redirects it."""
        argv = [*prefix, *self.bare.argv("/bin/sh", "-ec", "cd /root\n" + commands)]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        return done.returncode, done.stdout

    def do(self, commands, prefix=()):
        """What they said; they must succeed."""
        status, said = self.run_in(commands, prefix)
        self.assertEqual(status, 0, "%s\n%s" % (commands, said))
        return said

    def test_word_by_word(self):
        begun = time.monotonic()
        install, *others = marked("", "without-systemd")
        self.do(install)
        installed = time.monotonic()
        with OwnNetwork() as network:
            for commands in others:
                self.do(commands, network)
            started, said = time.monotonic(), ""
            place = "leaky.py:%d" % line_of("create_task")
            (later,) = marked("later")
            # Prometheus names it, then Alertmanager; they need a moment to come up.
            wanted = [pattern % each for pattern in ('%s="%s', '"%s": ?"%s')
                      for each in (("coroutine", re.escape("Session.watch")), ("site", re.escape(place + "#")))]  # fmt: skip
            while not all(re.search(each, said) for each in wanted):
                self.assertLess(time.monotonic() - started, LATER_S, said + self.logs())
                time.sleep(2)
                said = self.run_in(later, network)[1]
        now = time.monotonic()
        print("installed after %.0f s, alert %.0f s after the leak, %.0f s in all"
              % (installed - begun, now - started, now - begun))  # fmt: skip
        self.assertLess(now - begun, LIMIT_S)
        with open(PAGE, encoding="utf-8") as file:
            self.assertIn("`%s`" % place, file.read())

    def logs(self):
        return self.do("tail -n 20 /var/lib/prometheus/*.log")

    def test_the_systemd_commands_are_of_what_is_installed(self):
        self.do(marked("")[0])
        (commands,) = marked("with-systemd")
        for unit in re.findall(r"^systemctl .*?([\w-]+)$", commands, re.MULTILINE):
            self.assertTrue(self.bare.exists("/lib/systemd/system/%s.service" % unit), unit)
        for file in re.findall(r"/usr/share/\S+", commands):
            self.assertTrue(self.bare.exists(file), file)


if __name__ == "__main__":
    root.alone()
    unittest.main()
