#!/usr/bin/env python3
"""style.py - checks the house rules that a program can check.

Rooms (who may include whom), third-party headers in their one place, header
contracts, files that say what they are, sizes, fixed sleeps in tests, and
what may stand at the top level.  Prints "file:line: reason" for each breach.
"""
import os
import re
import subprocess
import sys

ROOMS = [  # folder, prefixes it may include; the longest folder counts
    ("proto/base", ["proto/base/"]),
    ("proto/mail", ["proto/base/", "proto/mail/"]),
    ("proto/policy", ["proto/base/", "proto/mail/", "proto/policy/"]),
    ("proto/wire", ["proto/"]),
    ("node", ["proto/", "node/"]),
    ("controller/policy", ["proto/", "controller/policy/"]),
    ("controller/cli", ["proto/", "controller/policy/", "controller/cli/"]),
    ("controller", ["proto/", "controller/"]),
    ("bench", ["proto/", "node/", "controller/", "bench/"]),
    ("tests", ["proto/", "node/", "controller/", "tests/"]),
]
ONE_PLACE = {"zmq.h": "proto/base/sock", "leveldb/c.h": "proto/base/db.c",
             "microhttpd.h": "proto/base/httpd.c",
             "yaml.h": "proto/base/yaml.c", "idn2.h": "proto/mail/"}
TOP = {"node", "controller", "proto", "deploy", "bench", "tests", "Makefile",
       "README.md", "LICENSE", "CHANGES.md", ".clang-format", ".ci",
       ".gitignore"}
FUNCTION_MAX, FILE_MAX, WIDTH = 100, 600, 80
# the verbs that mean the same everywhere and cannot fail, and the pair whose
# contract the head of its file says once, need no contract of their own
PLAIN = r"\w+_(new|free|init|fini|close|ref|unref|reset|clear|" \
    r"encode|decode)\("


def room(path):
    best = None
    for folder, allowed in ROOMS:
        if path.startswith(folder + "/"):
            if best is None or len(folder) > len(best[0]):
                best = (folder, allowed)
    return best


def check_includes(path, lines):
    where = room(path)
    for n, line in enumerate(lines, 1):
        m = re.match(r'#include\s+([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        name = m.group(2)
        if m.group(1) == '"' and where and not any(
                name.startswith(p) for p in where[1]):
            yield n, "room %s may not include %s" % (where[0], name)
        if m.group(1) == "<" and name in ONE_PLACE and \
                not path.startswith(ONE_PLACE[name]):
            yield n, "<%s> belongs in %s alone" % (name, ONE_PLACE[name])


def check_opening(path, lines):
    name = re.escape(os.path.basename(path))
    if not re.search(name + r" - \S", "\n".join(lines[:6])):
        yield 1, "does not open by saying what it is (\"name - what\")"


def check_contracts(path, lines):
    """Each prototype in a header has a comment above it, or follows one that
    has with nothing but prototypes between."""
    covered = in_comment = False
    depth = 0
    statement = ""
    for n, line in enumerate(lines, 1):
        text = line.strip()
        if in_comment or text.startswith("/*"):
            in_comment = "*/" not in text
            covered = True
            continue
        if not text:
            if not statement:
                covered = False
            continue
        if text.startswith("#") or text.endswith("\\"):
            continue
        depth += text.count("{") - text.count("}")
        if depth > 0 or text.startswith("}"):
            statement = ""
            continue
        statement += " " + text
        if text.endswith(";") or "*/" in text:
            code = re.sub(r"/\*.*?\*/", "", statement)
            if re.match(r"\s*[\w\s*]+\b\w+\(", code) and \
                    "typedef" not in code:
                if "/*" in statement:
                    covered = True
                if not covered and not re.search(PLAIN, code):
                    yield n, "prototype without a contract"
            statement = ""


def check_functions(path, lines):
    begin = None
    for n, line in enumerate(lines, 1):
        if line.startswith("{"):
            begin = n
        elif line.startswith("}") and begin is not None:
            if n - begin > FUNCTION_MAX:
                yield begin, "function of %d lines" % (n - begin)
            begin = None


def check_text(path, lines):
    for n, line in enumerate(lines, 1):
        if path.endswith((".c", ".h")) and \
                len(line.expandtabs(8)) > WIDTH:
            yield n, "over %d columns" % WIDTH
        if re.search(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", line):
            yield n, "left to do"
        if path.startswith("tests/") and path != "tests/lib/style.py" and \
                re.search(r"(^|[^a-z_])(sleep|usleep|nanosleep)[ (]+[0-9]",
                          line):
            yield n, "a test that sleeps a fixed time"


def check_file(path, text):
    lines = text.split("\n")
    checks = [check_text]
    if path.endswith((".c", ".h")):
        checks += [check_includes, check_opening]
    if path.endswith(".h"):
        checks.append(check_contracts)
    if path.endswith(".c"):
        checks.append(check_functions)
        if len(lines) > FILE_MAX:
            yield 1, "%d lines" % len(lines)
    if path.endswith((".sh", ".py")):
        checks.append(check_opening)
    for check in checks:
        yield from check(path, lines)


def check_top(names):
    for name in sorted(names - TOP):
        yield 1, "%s does not belong at the top level" % name


def self_test():
    head = "/*\n * %s - what.\n */\n"
    include = '#include "%s"\n'
    want = [  # path, text, and the reason that must be the only one given
        ("proto/base/a.c", head % "a.c" + include % "proto/mail/ip.h",
         "may not include"),
        ("proto/wire/a.c", head % "a.c" + include % "node/sets.h",
         "may not include"),
        ("node/a.c", head % "a.c" + include % "controller/store.h",
         "may not include"),
        ("controller/a.c", head % "a.c" + include % "node/sets.h",
         "may not include"),
        ("controller/cli/a.c", head % "a.c" + include % "controller/store.h",
         "may not include"),
        ("node/a.c", head % "a.c" + "#include <zmq.h>\n", "alone"),
        ("proto/base/a.c", head % "a.c" + "#include <yaml.h>\n", "alone"),
        ("node/a.h", head % "a.h" + "\nint a(void);\n", "contract"),
        ("node/a.h", head % "a.h" + "\nint a_open(\n    int b);\n",
         "contract"),
        ("node/a.h", head % "a.h" + "/* Good. */\nint a(void);\n\n"
         "int b(void);\n", "contract"),
        ("node/a.c", "int x;\n", "what it is"),
        ("deploy/a.sh", "#!/bin/sh\nset -eu\n", "what it is"),
        ("node/a.c", head % "a.c" + "{\n" + "\n" * 101 + "}\n",
         "function of"),
        ("node/a.c", head % "a.c" + "\n" * 600, "lines"),
        ("node/a.c", head % "a.c" + "x" * 81 + "\n", "columns"),
        ("node/a.c", head % "a.c" + "\t" * 10 + "x\n", "columns"),
        ("tests/a.sh", "# a.sh - what.\nsle" + "ep 1\n", "sleeps"),
        ("tests/a.c", head % "a.c" + "\tusle" + "ep(1000);\n", "sleeps"),
        ("node/a.c", head % "a.c" + "/* TO" + "DO */\n", "left to do"),
    ]
    for path, text, reason in want:
        got = [r for _, r in check_file(path, text)]
        if len(got) != 1 or reason not in got[0]:
            print("want %r, got %r: %s %r" % (reason, got, path, text[:60]))
            return 1
    good = head % "a.h" + "\n/* 0 or ERR_IO. */\nint a(void);\nint b(void);\n"
    if list(check_file("node/a.h", good)) or not list(check_top({"misc"})):
        print("a good header fails, or a stray folder passes")
        return 1
    return 0


def main():
    if "--self-test" in sys.argv:
        return self_test()
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"],
                           capture_output=True, text=True,
                           check=True).stdout.split("\n")
    bad = 0
    for path in names:
        if not path.endswith((".c", ".h", ".sh", ".py")) or \
                not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as f:
            for n, reason in check_file(path, f.read()):
                print("%s:%d: %s" % (path, n, reason))
                bad += 1
    for n, reason in check_top({x.split("/")[0] for x in names if x}):
        print("%s:%d: %s" % (".", n, reason))
        bad += 1
    print("%d breaches" % bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
