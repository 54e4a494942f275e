#!/usr/bin/env python3
"""The documents say what the program says: options, defaults, columns, keys, metrics, JSON fields, names of losses.

    test_docs.py [-v] [TEST...]     unittest's own options; $ASYNCLEAK_TOP: the program (build/asyncleak-top)
"""

import glob
import os
import re
import subprocess
import unittest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("ASYNCLEAK_TOP", os.path.join(PROJECT, "build", "asyncleak-top"))


def read(*path):
    with open(os.path.join(PROJECT, *path), encoding="utf-8") as file:
        return file.read()


def help_of(*command):
    """{("-d", "--delay"): "1"}: the names of each option and its default, "" without one."""
    text = subprocess.run([PROGRAM, *command, "--help"], capture_output=True, text=True, check=True).stdout
    options = {}
    for entry in re.findall(r"^  (-[-\w].*(?:\n {8,}.*)*)", text, re.MULTILINE):
        # CLI11 writes "-d,--delay SECONDS:FLOAT in [0.1 - 3600]=1", and "Excludes: --json" behind some names.
        names = re.match(r"(-\w)?,?(--[\w-]+)", entry)
        default = re.match(r"\S+ [^\n]*?(?<!\[)=(\S+)", entry) or re.search(r"\(default: (.*?)\)", entry)
        options[tuple(filter(None, names.groups()))] = default.group(1) if default else ""
    return options


def long_names(options):
    return {name for names in options for name in names if name.startswith("--")}


def man_section(title, macro="Sh"):
    found = re.search(r"^\.%s %s\n(.*?)(?=^\.%s |\Z)" % (macro, title, "Sh" if macro == "Sh" else "S[hs]"),
                      read("man", "asyncleak-top.8"), re.MULTILINE | re.DOTALL)  # fmt: skip
    return found.group(1) if found else ""


def man_options(subsection):
    """As help_of(); a default is a line "The default is 1."."""
    options = {}
    for item in re.split(r"^\.It ", man_section(subsection, "Ss"), flags=re.MULTILINE)[1:]:
        head, _, body = item.partition("\n")
        default = re.search(r"^The default is (.*)\.$", body, re.MULTILINE)
        options[tuple("-" + name for name in re.findall(r"Fl (\S+)", head))] = default.group(1) if default else ""
    return options


def items(section, macro):
    """The first names of a list's items: ".It Cm name"."""
    return re.findall(r"^\.It %s (\S+)" % macro, section, re.MULTILINE)


class Options(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.live, cls.running, cls.doctor = help_of(), help_of("run"), help_of("doctor")
        cls.inspect, cls.replay, cls.diff = help_of("inspect"), help_of("replay"), help_of("diff")

    def test_help_is_understood(self):
        self.assertEqual(self.live[("-d", "--delay")], "1")
        self.assertEqual(self.live[("-h", "--help")], "")
        self.assertLess(set(self.doctor), set(self.running))
        self.assertLess(set(self.doctor), set(self.inspect))
        self.assertLess(set(self.running), set(self.live))

    def test_man_page(self):
        both = {names: default for names, default in self.running.items() if names not in self.doctor}
        live = {names: default for names, default in self.live.items() if names not in self.running}
        self.assertEqual(man_options("All commands"), self.doctor)
        self.assertEqual(man_options("Live view only"), live)
        self.assertEqual(man_options("Live view and run"), both)
        for title, options in (("Inspect", self.inspect), ("Replay", self.replay), ("Diff", self.diff)):
            own = {names: default for names, default in options.items() if names not in self.doctor}
            self.assertEqual(man_options(title), own, title)

    def test_readme(self):
        live, inspect, replay, diff = re.split(r"\n\| option of `\w+` \|", read("README.md"))
        self.assertEqual(self.options_of(live), self.live)
        self.assertEqual(self.options_of(inspect), {k: v for k, v in self.inspect.items() if k not in self.doctor})
        self.assertEqual(set(self.options_of(diff)), set(self.diff) - set(self.doctor))
        # What replay has of the live view is not described twice.
        self.assertEqual(set(self.options_of(replay)), set(self.replay) - set(self.live))

    @staticmethod
    def options_of(text):
        rows = re.findall(r"^\| (`-.*?) \|.*\| (.*?) ?\|$", text, re.MULTILINE)
        described = {}
        for names, default in rows:
            for option in re.findall(r"`(-[^`]*)`", names):
                described[tuple(re.findall(r"--?[a-zA-Z][\w-]*", option))] = default
        return described

    def test_readme_says_what_is_not_for_run(self):
        rows = re.findall(r"^\| `(?:-\w, )?(--[\w-]+)[^`]*` \|.*not with `run`", read("README.md"), re.MULTILINE)
        self.assertEqual(set(rows) | {"--version"}, long_names(self.live) - long_names(self.running))

    def test_completions(self):
        every = {name for names in [*self.live, *self.inspect, *self.replay, *self.diff] for name in names}
        # Not inside words: 2>/dev/null, "-quiet", "--fcs-skip" of fish's own commands.
        bash = read("completions", "asyncleak-top.bash")
        words = re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", " ".join(re.findall(r"'(-h .*?)'", bash, re.DOTALL)) +
                           " ".join(re.findall(r'-W "(.*?)"', bash, re.DOTALL)))  # fmt: skip
        self.assertEqual(set(words), every)
        zsh = re.findall(r"(?:[{',)*])(--?[a-zA-Z][\w-]*)(?=[\[,}])", read("completions", "_asyncleak-top"))
        self.assertEqual(set(zsh), every)
        fish = re.findall(r"^\$command.*", read("completions", "asyncleak-top.fish"), re.MULTILINE)
        names = {"-" + name for line in fish for name in re.findall(r" -s (\w)", line)}
        names |= {"--" + name for line in fish for name in re.findall(r" -l ([\w-]+)", line)}
        self.assertEqual(names, every)


class Names(unittest.TestCase):
    def test_columns(self):
        text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
        choices = re.search(r"Order of the rows: (.*)", text).group(1).split(", ")
        titles = dict(re.findall(r'Column\{"(\w+)", "([^"]+)"', read("src", "view", "columns.cpp")))
        self.assertEqual(list(titles), choices)
        described = re.findall(r"^\.It Cm (\w+) Pq (.*)$", man_section("COLUMNS"), re.MULTILINE)
        self.assertEqual(described, list(titles.items()))
        for file in ("asyncleak-top.bash", "_asyncleak-top", "asyncleak-top.fish"):
            offered = re.search(r"\bcolumns[=(' ]+(%s[\w\s\\]+)" % choices[0], read("completions", file)).group(1)
            self.assertEqual(offered.replace("\\", " ").split()[: len(choices)], choices, file)

    def test_keys(self):
        page = read("src", "view", "page_help.cpp")
        keys = {key for text in re.findall(r'KeyHelp\{"(.*?)",', page) for key in text.replace("\\\\", "\\").split()}
        heads = re.findall(r"^\.It Ic (.*)$", man_section("INTERACTIVE COMMANDS"), re.MULTILINE)
        described = {key.replace("\\e", "\\").replace("\\&", "") for head in heads for key in head.split(" , ")}
        self.assertEqual(described, keys)

    def test_metrics(self):
        files = sorted(glob.glob(os.path.join(PROJECT, "src", "view", "prometheus", "*.cpp")))
        written = [name for file in files for name in re.findall(r'"(asyncleak_\w+)"', read(file))]
        described = items(man_section("METRICS"), "Va")
        self.assertEqual(sorted(described), sorted(written))

    def test_loss_counters(self):
        counted = re.findall(r'AL_DROP_\w+, "(\w+)"', read("src", "probe", "drops.cpp"))
        self.assertTrue(counted)
        self.assertEqual(items(man_section("METRICS"), "Cm"), counted)

    def test_finding_kinds(self):
        # Every literal of that file that is one lower-case word, with dashes or without, is a kind.
        made = re.findall(r'"([a-z]+(?:-[a-z]+)*)"', read("src", "model", "findings.cpp"))
        self.assertTrue(made)
        self.assertEqual(set(items(man_section("Findings", "Ss"), "Cm")), set(made))

    def test_patterns(self):
        made = re.findall(r'Hint\{"([a-z-]+)"', read("src", "model", "hints.cpp"))
        self.assertTrue(made)
        self.assertEqual(set(items(man_section("Hints", "Ss"), "Cm")), set(made))

    def test_json_fields(self):
        shared = re.findall(r'\{"(\w+)",', read("src", "view", "json_parts.cpp"))
        written = re.findall(r'\{"(\w+)",', read("src", "view", "json.cpp"))
        described = re.findall(r'"(\w+)"', man_section("JSON", "Ss"))
        self.assertEqual(set(described), {*written, *shared})
        written = re.findall(r'"(\w+)"', read("src", "view", "inspect_json.cpp"))
        described = re.findall(r'"(\w+)"', man_section("JSON of inspect", "Ss"))
        self.assertEqual(set(described), {*written, *shared})
        written = re.findall(r'\{"(\w+)",', read("src", "view", "summary_json.cpp"))
        described = re.findall(r'"(\w+)"', man_section("JSON of the exit summary", "Ss"))
        self.assertEqual(set(described), set(written))
        written = re.findall(r'\{"(\w+)",', read("src", "view", "diff_json.cpp"))
        described = re.findall(r'"(\w+)"', man_section("JSON of diff", "Ss"))
        self.assertEqual(set(described), {*written, "function"})


class Readme(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for file in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/ci.md", "docs/fleet.md"):
            for target in re.findall(r"\]\((?!https?:)([^)#]+)", read(file)):
                path = os.path.join(PROJECT, os.path.dirname(file), target)
                self.assertTrue(os.path.exists(path), "%s: %s" % (file, target))

    def test_named_files_exist(self):
        for file in ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/ci.md", "docs/fleet.md"):
            for path in re.findall(r"`((?:src|bpf|tests|tools|docs|bench)/[\w./-]+\.\w+)`", read(file)):
                self.assertTrue(os.path.exists(os.path.join(PROJECT, path)), "%s: %s" % (file, path))

    def test_figures_have_their_place(self):
        text = read("README.md")
        self.assertEqual(len(re.findall(r"<!-- figures:begin -->.+?<!-- figures:end -->", text, re.DOTALL)), 1)


class Install(unittest.TestCase):
    def test_uninstall_knows_what_is_installed(self):
        installed = set()
        for arguments in re.findall(r"install\((?:FILES|TARGETS) (.*?)\)\n", read("cmake", "Install.cmake"), re.DOTALL):
            words = arguments.split()
            folder = words[words.index("DESTINATION") + 1]
            for variable, value in (("BIN", "bin"), ("MAN", "share/man"), ("DATA", "share")):
                folder = folder.replace("${CMAKE_INSTALL_%sDIR}" % variable, value)
            name = words[words.index("RENAME") + 1] if "RENAME" in words else os.path.basename(words[0])
            installed.add(folder + "/" + name)
        removed = re.search(r"^INSTALLED := ((?:.*\\\n)*.*)", read("Makefile"), re.MULTILINE).group(1)
        self.assertEqual(set(removed.replace("\\", " ").split()), installed)


if __name__ == "__main__":
    unittest.main()
