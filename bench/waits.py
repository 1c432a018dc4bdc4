#!/usr/bin/env python3
"""waits.py - who had the processors while a thread that could run waited.

usage: perf record -e sched:sched_switch,sched:sched_wakeup -a -- sleep 37
       perf script | waits.py TID [MS]

Prints each wait of thread TID that lasted longer than MS (1), and for all of
them together how long which thread ran meanwhile, by processor.  What a lock
or a disk holds back is no wait here: such a thread cannot run.
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


def main():
    tid = int(sys.argv[1])
    limit = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.001
    total, n, seconds = Counter(), 0, 0.0
    for begin, length, why, ran in waits(sys.stdin, tid):
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


if __name__ == "__main__":
    main()
