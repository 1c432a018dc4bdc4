#!/usr/bin/env python3
"""policy.py - a client of the Postfix policy protocol, for tests.

usage: policy.py ask ADDRESS NAME=VALUE...
       policy.py readsocket ADDRESS NAME=VALUE...
       policy.py load ADDRESS FILE SECONDS CONNECTIONS
       policy.py bad ADDRESS

ADDRESS is HOST:PORT or the path of a unix socket.  ask sends one request and
prints the action.  readsocket does as Exim: one request on a connection of
its own whose sending side it then shuts, reads until the peer closes, and
prints what came.  load asks without pause for a blocked sender until the time
is over or the node goes away; the id of each answer that has a 5xx goes into
FILE as soon as it was read.  bad sends what no mail server should, prints
"ok" and "not ok" lines, and holds that each ends without an answer and that
the node answers the next one.
"""
import re
import socket
import sys
import threading
import time

BLOCKED = [("request", "smtpd_access_policy"), ("protocol_state", "RCPT"),
           ("protocol_name", "ESMTP"), ("client_address", "198.51.100.7"),
           ("sender", "x@bad.example"), ("recipient", "al@acme.example"),
           ("instance", "1")]
LIMIT_S = 10


def connect(address):
    if "/" in address:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT_S)
        s.connect(address)
        return s
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), LIMIT_S)


def request(pairs):
    return "".join("%s=%s\n" % p for p in pairs).encode() + b"\n"


def read_answer(s):
    got = b""
    while not got.endswith(b"\n\n"):
        more = s.recv(4096)
        if not more:
            raise EOFError("closed after %r" % got)
        got += more
    return got[len(b"action="):-2].decode()


def ask(address, pairs):
    with connect(address) as s:
        s.sendall(request(pairs))
        return read_answer(s)


def readsocket(address, pairs):
    with connect(address) as s:
        s.sendall(request(pairs))
        s.shutdown(socket.SHUT_WR)
        return read_all(s).decode()


def read_all(s):
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return got
        if not more:
            return got
        got += more


def load(address, path, seconds, connections):
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def one(n, out):
        pairs = [p for p in BLOCKED if p[0] not in ("sender", "instance")]
        i = 0
        try:
            with connect(address) as s:
                while time.monotonic() < end:
                    i += 1
                    s.sendall(request(pairs + [
                        ("instance", "%d.%d" % (n, i)),
                        ("sender", "u%d.%d@bad.example" % (n, i))]))
                    m = re.match(r"5\d\d .*\[(\w+)\]", read_answer(s))
                    if m:
                        with lock:
                            out.write(m.group(1) + "\n")
                            out.flush()
        except (OSError, EOFError):
            pass

    with open(path, "w", encoding="ascii") as out:
        threads = [threading.Thread(target=one, args=(n, out))
                   for n in range(connections)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


# --- bad input ---------------------------------------------------------------

good = request(BLOCKED)
WRONG = [
    ("64_kb_without_an_end", b"x=" + b"a" * 65536),
    ("64_kb_of_newline_ended_lines", b"x=1\n" * 20000),
    ("nul_in_a_value", b"request=smtpd_access_policy\nsender=a\0b\n\n"),
    ("carriage_return", b"request=smtpd_access_policy\r\n\r\n" + b"\n"),
    ("attribute_twice", good[:-1] + b"sender=y@ok.example\n\n"),
    ("no_request", b"sender=x@bad.example\nrecipient=al@acme.example\n\n"),
    ("another_request", b"request=junk\n\n"),
    ("no_equals_sign", b"request=smtpd_access_policy\nhello\n\n"),
    ("empty_name", b"=x\nrequest=smtpd_access_policy\n\n"),
    ("empty_line_alone", b"\n"),
    ("http", b"GET / HTTP/1.1\nHost: x\n\n"),
    ("every_byte", bytes(range(256)) + b"\n\n"),
]


def check(name, fault):
    print("not ok %s: %s" % (name, fault) if fault else "ok " + name)
    sys.stdout.flush()


def still_answers(address):
    action = ask(address, BLOCKED)
    return None if action.startswith("550 5.7.1 ") else action


def wrong(address, data):
    """It is closed without an answer, soon."""
    with connect(address) as s:
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            got = read_all(s)
        except socket.timeout:
            return "neither answered nor closed within %d s" % LIMIT_S
        return "answered %r" % got if got else still_answers(address)


def byte_by_byte(address):
    with connect(address) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(good)):
            s.sendall(good[i:i + 1])
        action = read_answer(s)
    return None if action.startswith("550 5.7.1 ") else action


def half_then_close(address):
    for cut in range(0, len(good) - 1, 7):
        with connect(address) as s:
            s.sendall(good[:cut])
    with connect(address) as s:
        s.sendall(good[:-1])
        s.shutdown(socket.SHUT_WR)
        if read_all(s):
            return "answered half a request"
    return still_answers(address)


def pipelined(address):
    """Three at once, and the sending side shut: three answers, then closed."""
    with connect(address) as s:
        s.sendall(good * 3)
        s.shutdown(socket.SHUT_WR)
        got = read_all(s)
    n = len(re.findall(rb"action=550 5\.7\.1 [^\n]*\n\n", got))
    return None if n == 3 else "%d answers: %r" % (n, got)


def thousand(address):
    """1,000 connections, each silent after half a request, then each asks."""
    open_ = []
    try:
        for _ in range(1000):
            s = connect(address)
            s.sendall(good[:40])
            open_.append(s)
        fault = still_answers(address)
        if fault:
            return "while they waited: " + fault
        for s in open_:
            s.sendall(good[40:])
        for s in open_:
            action = read_answer(s)
            if not action.startswith("550 5.7.1 "):
                return action
    finally:
        for s in open_:
            s.close()
    return None


def bad(address):
    for name, data in WRONG:
        check(name + "_is_closed_without_an_answer", wrong(address, data))
    check("one_byte_at_a_time_is_answered", byte_by_byte(address))
    check("half_a_request_then_close_is_dropped", half_then_close(address))
    check("pipelined_then_shut_gets_all_answers", pipelined(address))
    check("thousand_connections_are_answered", thousand(address))


def main():
    what, address, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    pairs = [tuple(a.split("=", 1)) for a in rest if "=" in a]
    if what == "ask":
        print(ask(address, pairs))
    elif what == "readsocket":
        print(readsocket(address, pairs), end="")
    elif what == "load":
        load(address, rest[0], float(rest[1]), int(rest[2]))
    else:
        bad(address)


if __name__ == "__main__":
    main()
