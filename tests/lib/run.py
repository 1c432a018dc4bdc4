#!/usr/bin/env python3
"""run.py - runs suites of tests, counts them, and ends with one line.

Suites: style unit decide system fuzz asan tsan.  The output of each test is
kept under build/logs/.  A system test is a script: it counts as one, or as
many as its "ok ..." and "not ok ..." lines say; exit status 77 skips it, its
last line saying why; "# limit: 1200" in its head asks for more seconds than
LIMIT_S, which ends what hangs: a test that is slow because the machine is busy
gets its time.  The slowest are named.  The last line here is "N passed, N
failed", with ", N skipped" when so; the exit status is 1 when anything failed
or a suite ran nothing.
"""
import argparse
import glob
import os
import re
import signal
import subprocess
import sys
import time

LIMIT_S = 600
SKIP = 77
TAIL = 25
SLOWEST = 5


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []
        self.took = []          # (seconds, suite and name) of each program

    def add(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def time(self, name, began):
        self.took.append((time.monotonic() - began, name))


def stop_group(pid, sig):
    """Signal what is left of the group that a test began."""
    try:
        os.killpg(pid, sig)
    except ProcessLookupError:
        return False
    return True


def run(argv, log, env=None, limit=LIMIT_S):
    """Run one program in a process group of its own; its status and output.
    Nothing it started outlives it."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "wb") as out:
        p = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT,
                             stdin=subprocess.DEVNULL, start_new_session=True,
                             env=dict(os.environ, **(env or {})))
        try:
            status = p.wait(limit)
        except subprocess.TimeoutExpired:
            stop_group(p.pid, signal.SIGTERM)
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                pass
            status = 124
            out.write(b"\nstopped after %d s\n" % limit)
        except BaseException:
            stop_group(p.pid, signal.SIGKILL)
            raise
        stop_group(p.pid, signal.SIGKILL)
        p.wait()
    with open(log, "rb") as f:
        return status, f.read().decode("utf-8", "replace")


def report(tally, name, status, text):
    tally.notes.append(name)
    print("FAILED %s (status %d)" % (name, status))
    for line in text.splitlines()[-TAIL:]:
        print("    | " + line)


def cmocka(tally, argv, log, suite):
    prog = argv[-1]
    began = time.monotonic()
    status, text = run(argv, log)
    tally.time("%s %s" % (suite, os.path.basename(prog)), began)
    ran = re.search(r"\[==========\] (?:.*: )?\d+ test\(s\) run\.", text)
    passed = len(re.findall(r"^\[       OK \]", text, re.M))
    skipped = set(re.findall(r"^\[  SKIPPED \] (?!\d+ test)(\w+)", text, re.M))
    failed = set(re.findall(r"^\[  (?:FAILED|ERROR) +\] (?!\d+ test|---)(\w+)",
                            text, re.M))
    n_failed = len(failed)
    if not ran or status != 0:
        n_failed = max(n_failed, 1)     # it died: sanitizer, signal, limit
    elif passed + len(skipped) == 0:
        n_failed = max(n_failed, 1)     # a test program that tests nothing
    for name in sorted(skipped):
        print("SKIPPED %s %s: %s" % (suite, prog, name))
    tally.add(passed, n_failed, len(skipped))
    if n_failed:
        report(tally, "%s %s" % (suite, " ".join([prog] + sorted(failed))),
               status, text)


def limit_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        m = re.search(r"^# limit: (\d+)", f.read(4096), re.M)
    return int(m.group(1)) if m else LIMIT_S


def single(tally, argv, log, name, env=None, limit=LIMIT_S):
    """A program that counts as one, or as its "ok" and "not ok" lines."""
    began = time.monotonic()
    status, text = run(argv, log, env, limit)
    tally.time(name, began)
    passed = len(re.findall(r"^ok\b", text, re.M))
    failed = len(re.findall(r"^not ok\b", text, re.M))
    if status == SKIP:
        lines = text.strip().splitlines() or ["no reason given"]
        print("SKIPPED %s: %s" % (name, lines[-1]))
        tally.add(passed, failed, 1)
    else:
        if status != 0:
            failed = max(failed, 1)
        tally.add(passed if passed + failed else 1, failed)
    if failed:
        report(tally, name, status, text)


def cases(tally, build, path, suite):
    """A file of cases: each case counts."""
    log = "build/logs/%s/%s.log" % (suite, os.path.basename(path))
    prog = build + "/postern"
    if not os.access(prog, os.X_OK):
        status, text = 127, prog + " is not built"
    else:
        status, text = run([prog, "explain", "--cases", path], log)
    m = re.search(r"^(\d+) cases, (\d+) passed, (\d+) failed$", text, re.M)
    passed, failed = (int(m.group(2)), int(m.group(3))) if m else (0, 1)
    if status != 0 or passed + failed == 0:
        failed = max(failed, 1)
    tally.add(passed, failed)
    if failed:
        report(tally, "%s %s" % (suite, path), status, text)


def unit(tally, build, suite, prefix=()):
    """The test programs of the sources that are there now: one whose source
    has gone may still lie in the build folder."""
    for src in sorted(glob.glob("tests/unit/test_*.c")):
        name = os.path.basename(src)[:-2]
        prog = "%s/tests/%s" % (build, name)
        log = "build/logs/%s/%s.log" % (suite, name)
        if os.access(prog, os.X_OK):
            cmocka(tally, list(prefix) + [prog], log, suite)
        elif suite != "tsan":
            tally.add(0, 1)
            report(tally, "%s %s" % (suite, prog), 127, "it is not built")


def suite_unit(tally, build):
    unit(tally, build, "unit")


def suite_decide(tally, build, suite="decide"):
    for path in sorted(glob.glob("tests/decide/*.yaml")):
        cases(tally, build, path, suite)


def suite_system(tally, build):
    env = {"BUILD": os.path.abspath(build)}
    for path in sorted(glob.glob("tests/system/[0-9]*.sh")):
        single(tally, ["bash", path], "build/logs/system/%s.log" %
               os.path.basename(path), path, env, limit_of(path))


def suite_fuzz(tally, _build):
    """The corpus again, under the sanitizers."""
    for src in sorted(glob.glob("tests/fuzz/fuzz_*.c")):
        name = os.path.basename(src)[len("fuzz_"):-2]
        single(tally, ["build/asan/replay/" + name,
                       "tests/fuzz/corpus/" + name],
               "build/logs/fuzz/%s.log" % name, "corpus " + name)


def suite_style(tally, _build):
    single(tally, [sys.executable, "tests/lib/style.py", "--self-test"],
           "build/logs/style/self.log", "style self-test")
    single(tally, [sys.executable, "tests/lib/style.py"],
           "build/logs/style/style.log", "style")


def suite_asan(tally, _build):
    unit(tally, "build/asan", "asan")
    suite_decide(tally, "build/asan", "asan-decide")


def suite_tsan(tally, _build):
    # gcc 12's runtime cannot place its shadow where the kernel spreads maps
    # over more than 28 bits; without random addresses it can
    fixed = ["setarch", os.uname().machine, "-R"]
    try:
        ok = subprocess.run(fixed + ["true"], stderr=subprocess.DEVNULL,
                            check=False).returncode == 0
    except FileNotFoundError:
        ok = False
    # libzmq and LevelDB are not built with TSan, so it cannot see their locks:
    # what happens wholly inside them is left out, our own code is not
    own = ["env", "TSAN_OPTIONS=ignore_noninstrumented_modules=1"]
    unit(tally, "build/tsan", "tsan", own + (fixed if ok else []))


SUITES = {"style": suite_style, "unit": suite_unit, "decide": suite_decide,
          "system": suite_system, "fuzz": suite_fuzz, "asan": suite_asan,
          "tsan": suite_tsan}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("suite", nargs="+", choices=list(SUITES))
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    tally = Tally()
    start = time.monotonic()
    for name in args.suite:
        began = time.monotonic()
        before = (tally.passed, tally.failed)
        SUITES[name](tally, args.build)
        if before == (tally.passed, tally.failed):
            tally.add(0, 1)
            report(tally, name, 0, "the suite has run nothing")
        print("%-8s %5d passed, %d failed in %.1f s" % (
            name, tally.passed - before[0], tally.failed - before[1],
            time.monotonic() - began))
    print("slowest of %.0f s: %s" % (time.monotonic() - start, ", ".join(
        "%s %.1f s" % (name, s)
        for s, name in sorted(tally.took, reverse=True)[:SLOWEST])))
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
