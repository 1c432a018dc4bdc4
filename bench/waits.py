#!/usr/bin/env python3
"""waits.py - who had the processors while a thread that could run waited.

usage: perf record -e sched:sched_switch,sched:sched_wakeup -a -- sleep 37
       perf script | waits.py TID [MS]

Prints each wait of thread TID that lasted longer than MS (1), and for all of
them together how long which thread ran meanwhile, by processor.  What a lock
or a disk holds back is no wait here: such a thread cannot run.  Then what it
did itself: how long it ran at most without a pause, and how long it waited for
a disk or a page at most (the state D).
"""
import re
import sys
from collections import Counter

SWITCH = re.compile(r"\[(\d+)\]\s+([\d.]+): sched:sched_switch: "
                    r"prev_comm=.* prev_pid=(\d+) prev_prio=\d+ "
                    r"prev_state=(\S+) ==> next_comm=(.*) next_pid=(\d+) ")
WAKEUP = re.compile(r"\s([\d.]+): sched:sched_wakeup: .* pid=(\d+) ")


def waits(lines, tid):
    """(begin, seconds, how it came to wait, {(name, id): seconds}) of each."""
    running = {}            # by processor
    since = why = None      # it waits since
    last = 0.0
    ran = Counter()
    for line in lines:
        m = SWITCH.search(line)
        if m:
            cpu, now = m[1], float(m[2])
            if since is not None:
                for who in running.values():
                    ran[who] += (now - last) / max(len(running), 1)
            last = now
            running[cpu] = (m[5], int(m[6]))
            if int(m[3]) == tid and m[4].startswith("R"):
                since, why, ran = now, "put off", Counter()
            if int(m[6]) == tid and since is not None:
                yield since, now - since, why, ran
                since = None
            continue
        m = WAKEUP.search(line)
        if m and int(m[2]) == tid and since is None:
            since, why, ran = float(m[1]), "woken", Counter()
            last = since


def own(lines, tid):
    """(runs, blocks): seconds it ran without a pause, and was in state D."""
    runs, blocks = [], []
    since = left = None
    for line in lines:
        m = SWITCH.search(line)
        if m and int(m[3]) == tid:
            if since is not None:
                runs.append((float(m[2]) - since, since))
            since, left = None, (float(m[2]), m[4])
        elif m and int(m[6]) == tid:
            since = float(m[2])
            if left is not None and left[1].startswith("D"):
                blocks.append((since - left[0], left[0]))
    return runs, blocks


def longest(what, times):
    seconds, at = max(times, default=(0.0, 0.0))
    print("%s: %d times, %.1f ms, the longest %.2f ms at %.6f" % (
        what, len(times), sum(t for t, _ in times) * 1000, seconds * 1000,
        at))


def main():
    tid = int(sys.argv[1])
    limit = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.001
    total, n, seconds = Counter(), 0, 0.0
    lines = sys.stdin.readlines()
    for begin, length, why, ran in waits(lines, tid):
        if length <= limit:
            continue
        n += 1
        seconds += length
        total += ran
        print("%.6f %7.2f ms %s: %s" % (begin, length * 1000, why, ", ".join(
            "%s %d %.2f" % (name, who, s * 1000)
            for (name, who), s in ran.most_common(5))))
    print("%d waits, %.1f ms" % (n, seconds * 1000))
    for (name, who), s in total.most_common(20):
        print("  %-16s %7d %9.1f ms" % (name, who, s * 1000))
    runs, blocks = own(lines, tid)
    longest("it ran", runs)
    longest("it was held back by a disk or a page", blocks)


if __name__ == "__main__":
    main()
