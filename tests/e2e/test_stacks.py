#!/usr/bin/env python3
"""Creation stacks deeper than what is kept of them: told apart by what is kept, and no further.

    test_stacks.py [-v] [TEST...]    unittest's own options; needs root, else it exits 77 (skipped)
"""

import unittest

from processes import Deadline, Tool, watches
from run_e2e import run_tests
from targets import ask, python

DEPTHS = (10, 20, 40, 80, 200)

# One task from each depth of a recursion, all kept; then says how many.
DEEP = """
import asyncio, sys
async def held(): await asyncio.get_running_loop().create_future()
def down(depth):
    if depth: return down(depth - 1)
    return asyncio.create_task(held())
async def main():
    print('up', flush=True)
    sys.stdin.readline()
    keep = [down(depth) for depth in %r]
    print(len(keep), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
""" % (DEPTHS,)


class Deep(unittest.TestCase):
    def sites(self, depth):
        """[(frames, tasks)] of the sites of held()."""
        with python(DEEP) as target:
            self.assertEqual(target.stdout.readline(), "up\n")
            with Tool("--json", "-d", "0.2", "-p", str(target.pid), "--stack-depth", str(depth)) as tool:
                tool.frame_where(watches(target.pid), "attached", Deadline(10))
                self.assertEqual(int(ask(target)), len(DEPTHS))

                def all_made(frame):
                    return sum(each["outstanding"] for each in held(frame)) == len(DEPTHS)

                def held(frame):
                    return [each for each in frame["sites"] if each["coroutine"] == "held"]

                frame = tool.frame_where(all_made, "all tasks", Deadline(10))
                self.assertEqual(frame["probes"]["dropped_total"], 0)
                self.assertEqual(tool.stop(), 0)
                return sorted((len(each["created_at"]), each["outstanding"]) for each in held(frame))

    def test_equal_in_what_is_kept(self):
        self.assertEqual(self.sites(4), [(4, len(DEPTHS))])

    def test_the_most_that_is_kept(self):
        """Recursions of 10 and 20 are whole, with what is around them; the deeper ones are one."""
        sites = self.sites(32)
        self.assertEqual([tasks for _, tasks in sites], [1, 1, 3])
        self.assertEqual(sites[-1][0], 32)


if __name__ == "__main__":
    run_tests()
