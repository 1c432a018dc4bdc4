#!/usr/bin/env python3
"""run.py - runs suites of tests, counts them, and ends with one line.

Suites: style unit decide fuzz asan system.  Output of each test is kept under
build/logs/.  The last line is "N passed, N failed" (", N skipped" after it
when so); the exit status is 1 when anything failed or nothing ran.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import time

LIMIT_S = 180


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []

    def add(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def run(argv, log, env=None):
    """Run one program; its status (124 on time-out) and its output."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "wb") as out:
        try:
            p = subprocess.run(argv, stdout=out, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, timeout=LIMIT_S,
                               env=env)
            status = p.returncode
        except subprocess.TimeoutExpired:
            status = 124
    with open(log, "rb") as f:
        return status, f.read().decode("utf-8", "replace")


def report(tally, name, text):
    tally.notes.append(name)
    print("FAILED %s" % name)
    for line in text.splitlines()[-25:]:
        print("    | " + line)


def cmocka(tally, prog, log, suite):
    status, text = run([prog], log)
    ran = re.search(r"\[==========\] .*?: (\d+) test\(s\) run\.", text)
    passed = len(re.findall(r"^\[       OK \]", text, re.M))
    skipped = re.findall(r"^\[  SKIPPED \] (?!\d+ test)(\w+)", text, re.M)
    failed = len(set(re.findall(r"^\[  FAILED  \] (?!\d+ test)(\w+)", text,
                                re.M)))
    if not ran or status != 0:
        failed = max(failed, 1)
    for name in skipped:
        print("SKIPPED %s: %s" % (prog, name))
    tally.add(passed, failed, len(skipped))
    if failed:
        report(tally, "%s %s" % (suite, prog), text)


def single(tally, argv, log, name):
    status, text = run(argv, log)
    tally.add(int(status == 0), int(status != 0))
    if status != 0:
        report(tally, name, text)


def cases(tally, build, path, suite):
    """A file of cases: each case counts."""
    log = "build/logs/%s/%s.log" % (suite, os.path.basename(path))
    status, text = run([build + "/postern", "explain", "--cases", path], log)
    m = re.search(r"^(\d+) cases, (\d+) passed, (\d+) failed$", text, re.M)
    if m is None:
        tally.add(0, 1)
        report(tally, path, text)
        return
    failed = int(m.group(3))
    if status != 0:
        failed = max(failed, 1)
    tally.add(int(m.group(2)), failed)
    if failed:
        report(tally, path, text)


def suite_unit(tally, build, suite="unit"):
    for prog in sorted(glob.glob(build + "/tests/test_*")):
        if os.access(prog, os.X_OK) and not prog.endswith(".d"):
            cmocka(tally, prog, "build/logs/%s/%s.log" % (
                suite, os.path.basename(prog)), suite)


def suite_decide(tally, build, suite="decide"):
    for path in sorted(glob.glob("tests/decide/*.yaml")):
        cases(tally, build, path, suite)


def suite_fuzz(tally, build, suite="fuzz"):
    for prog in sorted(glob.glob(build + "/replay/*")):
        name = os.path.basename(prog)
        single(tally, [prog, "tests/fuzz/corpus/" + name],
               "build/logs/%s/%s.log" % (suite, name), "corpus " + name)


def suite_style(tally, _build):
    single(tally, [sys.executable, "tests/lib/style.py", "--self-test"],
           "build/logs/style/self.log", "style self-test")
    single(tally, [sys.executable, "tests/lib/style.py"],
           "build/logs/style/style.log", "style")


def suite_system(tally, _build):
    for path in sorted(glob.glob("tests/system/[0-9]*.sh")):
        single(tally, ["bash", path], "build/logs/system/%s.log" %
               os.path.basename(path), path)


def suite_asan(tally, _build):
    build = "build/asan"
    suite_unit(tally, build, "asan")
    suite_decide(tally, build, "asan-decide")
    suite_fuzz(tally, build, "asan-fuzz")


SUITES = {"style": suite_style, "unit": suite_unit, "decide": suite_decide,
          "fuzz": suite_fuzz, "asan": suite_asan, "system": suite_system}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("suite", nargs="+", choices=sorted(SUITES))
    args = parser.parse_args()
    tally = Tally()
    for name in args.suite:
        began = time.monotonic()
        before = (tally.passed, tally.failed)
        SUITES[name](tally, args.build)
        print("%-8s %5d passed, %d failed in %.1f s" % (
            name, tally.passed - before[0], tally.failed - before[1],
            time.monotonic() - began), flush=True)
    if tally.notes:
        print("failed: " + ", ".join(tally.notes))
    line = "%d passed, %d failed" % (tally.passed, tally.failed)
    if tally.skipped:
        line += ", %d skipped" % tally.skipped
    print(line)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "..", ".."))
    sys.exit(main())
