#!/usr/bin/env python3
"""milter.py - a mail server's side of the milter protocol, as bytes.

usage: milter.py HOST:PORT|unix:PATH CASE

Cases: message (a whole one, prints the answers), frames (wrong lengths),
order (wrong orders), cut (gone at each byte of a session), huge (a header of
10 MB in one frame, and 10,000 headers), many N (N connections at once, each
with a message), deaf (never reads), ending PID (it is told to end within a
message), differ OTHER (the same sessions with another milter at that address:
each answers with the same packets).  Prints what it saw as one line; the exit
status is 1 when an answer was not as it must be.
"""
import os
import signal
import socket
import struct
import sys
import threading


def frame(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


OPTIONS = frame(b"O", struct.pack(">III", 6, 0x1ff, 0x1fffff))
CONNECT = frame(b"C", b"mx.test\0" b"4\0\x19" b"198.51.100.7\0")
HELO = frame(b"H", b"client.test\0")
BEGIN = OPTIONS + CONNECT + HELO
END = frame(b"Q")


def mail(sender, rcpt):
    return frame(b"M", b"<%s>\0" % sender) + frame(b"R", b"<%s>\0" % rcpt)


def header(name, value):
    return frame(b"L", name + b"\0" + value + b"\0")


MESSAGE = (mail(b"x@far.example", b"al@acme.example") +
           header(b"From", b"x@far.example") + frame(b"N") + frame(b"E"))


class Peer:
    def __init__(self, address):
        if address.startswith("unix:"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(20)
            self.sock.connect(address[5:])
            return
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), 20)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answers(self):
        """All frames until the other side closes."""
        data = b""
        try:
            while True:
                more = self.sock.recv(65536)
                if not more:
                    break
                data += more
        except ConnectionResetError:
            pass
        out = []
        while len(data) >= 5:
            n = struct.unpack(">I", data[:4])[0]
            out.append(data[4:4 + n])
            data = data[4 + n:]
        return out


def talk(address, data):
    p = Peer(address)
    p.send(data)
    try:
        p.sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass            # it has closed already
    got = p.answers()
    p.sock.close()
    return got


def letters(got):
    return b"".join(x[:1] for x in got).decode()


def fives(got):
    return [x for x in got if x[:2] == b"y5"]


def case_message(address):
    got = talk(address, BEGIN + MESSAGE + END)
    print(letters(got))
    return letters(got) == "Occchc"


def case_frames(address):
    bad = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x80\0\0\0Q",
           b"GET / HTTP/1.1\r\n\r\n", b"EHLO x\r\n", b"\0" * 4096,
           bytes(range(256)) * 64]
    bad += [frame(c, d) for c in (b"C", b"H", b"M", b"R", b"L", b"D", b"N",
                                  b"A", b"U", b"z", b"\0")
            for d in (b"x", b"\0x", b"x" * 300)]
    n = 0
    for b in bad:
        for before in (b"", OPTIONS, BEGIN, BEGIN + mail(b"a@b.example",
                                                         b"c@acme.example")):
            got = talk(address, before + b + b"\0\0\0\0")
            n += 1
            if fives(got):
                print("a 5xx to", before + b, got)
                return False
    print(n, "connections")
    return True


def case_order(address):
    steps = [frame(c, d) for c, d in (
        (b"C", CONNECT[5:]), (b"H", HELO[5:]), (b"M", b"<x@far.example>\0"),
        (b"R", b"<al@acme.example>\0"), (b"T", b""),
        (b"L", b"From\0x@far.example\0"), (b"N", b""), (b"B", b"x"),
        (b"E", b""), (b"A", b""), (b"K", b""), (b"O", OPTIONS[5:]))]
    n = 0
    for a in steps:
        for b in steps:
            for c in steps:
                got = talk(address, OPTIONS + a + b + c + END)
                n += 1
                if fives(got):
                    print("a 5xx", a, b, c, got)
                    return False
    print(n, "orders")
    return True


def case_cut(address):
    whole = BEGIN + MESSAGE
    for n in range(len(whole)):
        p = Peer(address)
        p.send(whole[:n])
        if n % 2:
            p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        p.sock.close()
    print(len(whole), "cuts")
    return True


def case_huge(address):
    begin = BEGIN + mail(b"x@far.example", b"al@acme.example")
    got = talk(address, begin + header(b"From", b"a@b.example," * 900000) +
               frame(b"N") + frame(b"E") + END)
    print("10 MB header:", letters(got), end="; ")
    if letters(got) != "Occchc":
        return False
    got = talk(address, begin + header(b"From", b"a@b.example") * 5000 +
               header(b"X-A", b"b" * 1000) * 5000 + frame(b"N") +
               frame(b"E") + END)
    print("10,000 headers:", letters(got))
    return letters(got) == "Occchc"


def case_many(address, n):
    peers = [Peer(address) for _ in range(n)]
    for p in peers:
        p.send(BEGIN)
    for p in peers:
        p.send(MESSAGE + END)
    bad = [p for p in peers if letters(p.answers()) != "Occchc"]
    print(n, "connections,", len(bad), "bad")
    return not bad


def case_deaf(address):
    p = Peer(address)
    p.sock.settimeout(0.5)
    p.send(BEGIN)
    sent = 0
    one = (mail(b"x@far.example", b"al@acme.example") * 500 +
           frame(b"A"))
    try:
        while sent < 256 * 1024 * 1024:
            sent += p.sock.send(one)
    except socket.timeout:
        print("stopped after", sent, "bytes")
        return True
    print("the node takes without end")
    return False


def case_ending(address, pid):
    p = Peer(address)
    p.send(BEGIN + mail(b"x@far.example", b"al@acme.example"))
    idle = Peer(address)
    idle.send(BEGIN)
    idle.sock.recv(5)
    got = b""
    while b"\0\0\0\1c\0\0\0\1c" not in got:
        got += p.sock.recv(65536)
    os.kill(pid, signal.SIGTERM)
    idle.answers()      # until it is closed: the node is ending
    p.send(header(b"From", b"x@far.example") + frame(b"N") + frame(b"E"))
    rest = letters(p.answers())
    print("the message goes on:", rest)
    return rest == "chc"


# What a mail server leaves out of a session when the milter asked for it.
SPARED = {b"B": 0x10, b"L": 0x20, b"N": 0x40, b"U": 0x100, b"T": 0x200}
MAIL_MACROS = frame(b"D", b"Mi\0QUEUE1\0{mail_addr}\0x@far.example\0")
RCPT_MACROS = frame(b"D", b"R{rcpt_addr}\0al@acme.example\0{rcpt_mailer}\0"
                    b"local\0{rcpt_host}\0acme.example\0")
HEADERS = [header(b"Received", b"from a\n\tby b"),
           header(b"From", b"\"A\" <x@far.example>"), header(b"To", b""),
           header(b"Subject", b"=?utf-8?q?=C3=A4?="), header(b"X-Empty", b"")]
FORGED = [header(b"X-Postern-Decision", b"refused"),
          header(b"X-Postern-Bypass", b"spam"),
          header(b"x-postern-DECISION", b"again")]


def whole(rcpts=1, headers=HEADERS, bodies=1, macros=True):
    out = [MAIL_MACROS] if macros else []
    out.append(frame(b"M", b"<x@far.example>\0SIZE=100\0"))
    for n in range(rcpts):
        if macros:
            out.append(RCPT_MACROS)
        out.append(frame(b"R", b"<u%d@acme.example>\0NOTIFY=NEVER\0" % n))
    out.append(frame(b"T"))
    out += headers + [frame(b"D", b"Ni\0QUEUE1\0"), frame(b"N")]
    out += [frame(b"B", b"text\r\n" * 1000)] * bodies
    return out + [frame(b"D", b"Ei\0QUEUE1\0"), frame(b"E")]


def recorded():
    """Sessions as mail servers hold them: a name and its commands."""
    connect = [frame(b"D", b"Cj\0mx.test\0{client_resolve}\0OK\0"), CONNECT]
    local = [frame(b"C", b"localhost\0U")]
    begin = connect + [HELO]
    mail = frame(b"M", b"<x@far.example>\0")
    rcpt = frame(b"R", b"<al@acme.example>\0")
    return [
        ("message", begin + whole()),
        ("no macros", [CONNECT, HELO] + whole(macros=False)),
        ("two messages", begin + whole() + whole(3)),
        ("bounce", begin + [frame(b"M", b"<>\0"), rcpt, frame(b"N"),
                            frame(b"E")]),
        ("no headers", begin + whole(headers=[])),
        ("many headers", begin + whole(headers=HEADERS * 200)),
        ("long header", begin + whole(headers=[header(
            b"X-Long", b"b" * 60000)])),
        ("forged headers", begin + whole(headers=HEADERS + FORGED)),
        ("many recipients", begin + whole(100)),
        ("big body", begin + whole(bodies=20)),
        ("given up", begin + [mail, rcpt, frame(b"A")] + whole()),
        ("given up early", begin + [mail, frame(b"A"), frame(b"A")]),
        ("given up in headers", begin + [mail, rcpt] + HEADERS +
         [frame(b"A")] + whole()),
        ("HELO again", begin + [HELO] + whole() + [HELO] + whole()),
        ("no HELO", connect + whole()),
        ("unknown command", begin + [frame(b"U", b"XFOO bar\0")] + whole()),
        ("local client", local + [HELO] + whole()),
        ("IPv6 client", [frame(b"C", b"h.test\0" b"6\0\x19" b"IPv6:2001:"
                               b"db8::1\0"), HELO] + whole()),
        ("unknown client", [frame(b"C", b"[192.0.2.1]\0" b"4\0\x19"
                                  b"192.0.2.1\0")] + whole()),
        ("connection taken over", begin + whole() + [frame(b"K")] + begin +
         whole()),
        ("nothing at all", begin),
        ("only a connection", connect),
    ]


def options_of(f):
    """Version, actions, steps, and the macros asked for at each stage."""
    lists, data = {}, f[13:]
    while len(data) > 4:
        names, rest = data[4:].split(b"\0", 1)
        lists[data[:4]] = names.split()
        data = rest
    return struct.unpack(">III", f[1:13]), lists


def play(address, offer, commands):
    """One session, what the milter does not want left out; its answers."""
    p = Peer(address)
    p.send(frame(b"O", struct.pack(">III", *offer)))
    head = b""
    while len(head) < 4 or len(head) < 4 + struct.unpack(">I", head[:4])[0]:
        more = p.sock.recv(65536)
        if not more:
            return ["closed"]
        head += more
    options = options_of(head[4:])
    steps = options[0][2]
    data = b"".join(c for c in commands
                    if not steps & SPARED.get(c[4:5], 0)) + END
    # answers are read meanwhile: neither side waits for room
    sender = threading.Thread(target=p.send, args=(data,))
    sender.start()
    got = p.answers()
    sender.join()
    # the text of our own header is ours
    return [options] + [f[:20] if f[:1] == b"h" else f for f in got]


def case_differ(address, other):
    # no offer of no steps at all: libmilter takes that for those of version 1
    offers = [(6, 0x1ff, 0x1fffff), (6, 0x1ff, 0x7f), (6, 0x1ff, 0x20),
              (6, 0xff, 0xfff), (4, 0x7f, 0x3ff), (3, 0x3f, 0x7f),
              (2, 0x3f, 0x7f), (2, 0x3f, 0x20), (7, 0x1ff, 0x1fffff)]
    n = 0
    for offer in offers:
        for name, commands in recorded():
            ours, theirs = (play(a, offer, commands)
                            for a in (address, other))
            n += 1
            # it cannot skip both headers and their end, and closes
            if name == "no headers" and theirs[0][0][2] & SPARED[b"N"]:
                continue
            if ours != theirs:
                print("%s, offered %s:\nours   %s\ntheirs %s" % (
                    name, offer, ours, theirs))
                return False
    print(n, "sessions, the same packets")
    return True


def main():
    case = globals()["case_" + sys.argv[2]]
    more = [int(x) if x.isdigit() else x for x in sys.argv[3:]]
    return 0 if case(sys.argv[1], *more) else 1


if __name__ == "__main__":
    sys.exit(main())
