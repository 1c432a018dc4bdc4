#!/usr/bin/env python3
"""smtp.py - one SMTP session with a server on loopback, replies as JSON.

usage: smtp.py PORT --mail-from ADDRESS --to ADDRESS [--to ADDRESS ...]
               [--client 127.0.0.2] [--helo NAME] [--header LINE ...]
               [--body TEXT] [--message FILE]
       smtp.py PORT --raw [--client 127.0.0.2] <COMMANDS

The first form sends EHLO, MAIL, each RCPT, and DATA with a message when a
recipient was accepted; "" is the null sender.  --header adds header lines; a
From of the sender and a Subject stand in front unless --header or --message
gives them.  --raw sends each line of standard input as it is and reads the
reply behind it; after 354 the lines up to and with "." are the message.

Printed: {"replies": [{"command", "code", "enhanced", "text"}, ...],
"rcpt": {ADDRESS: CODE}, "data": CODE or null, "closed": bool}.  The greeting
comes first, with an empty command.  "text" has the lines joined by " / ",
without the enhanced code.  The exit status is 0 when the session went to its
end, whatever the replies; 1 when the server closed it or did not answer.
"""
import argparse
import json
import re
import socket
import sys


class Session:
    def __init__(self, port, client, timeout):
        self.sock = socket.create_connection(
            ("127.0.0.1", port), timeout, source_address=(client, 0))
        self.file = self.sock.makefile("rb")
        self.replies = []

    def read(self, command):
        code, lines = 0, []
        while True:
            line = self.file.readline().decode("utf-8", "replace")
            m = re.match(r"(\d{3})([ -]?)(.*)", line.rstrip("\r\n"))
            if m is None:
                raise EOFError("closed")
            code = int(m.group(1))
            lines.append(m.group(3))
            if m.group(2) != "-":
                break
        split = [re.match(r"(?:([245]\.\d+\.\d+) ?)?(.*)", x) for x in lines]
        self.replies.append({"command": command, "code": code,
                             "enhanced": split[-1].group(1),
                             "text": " / ".join(s.group(2) for s in split)})
        return code

    def say(self, command):
        self.sock.sendall(command.encode("utf-8", "surrogateescape")
                          + b"\r\n")
        return self.read(command)

    def message(self, lines):
        data = "".join(("." + x if x.startswith(".") else x) + "\r\n"
                       for x in lines)
        self.sock.sendall(data.encode("utf-8", "surrogateescape") + b".\r\n")
        return self.read(".")


def message_lines(args):
    if args.message:
        with open(args.message, encoding="utf-8",
                  errors="surrogateescape") as f:
            return f.read().splitlines()
    head = list(args.header)
    names = {h.split(":", 1)[0].lower() for h in head}
    if "from" not in names:
        head.insert(0, "From: <%s>" % (args.mail_from or "MAILER-DAEMON"))
    if "subject" not in names:
        head.insert(0, "Subject: test")
    return head + [""] + args.body.split("\n")


def transaction(s, args, result):
    s.say("EHLO " + args.helo)
    if s.say("MAIL FROM:<%s>" % args.mail_from) != 250:
        return
    for to in args.to:
        result["rcpt"][to] = s.say("RCPT TO:<%s>" % to)
    if 250 in result["rcpt"].values():
        result["data"] = s.say("DATA")
        if result["data"] == 354:
            result["data"] = s.message(message_lines(args))


def raw(s):
    lines = iter(sys.stdin.read().splitlines())
    for line in lines:
        if s.say(line) == 354:
            body = []
            for x in lines:
                if x == ".":
                    break
                body.append(x)
            s.message(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--client", default="127.0.0.2")
    parser.add_argument("--helo", default="client.example")
    parser.add_argument("--mail-from", default="")
    parser.add_argument("--to", action="append", default=[])
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--body", default="Hello.")
    parser.add_argument("--message")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--timeout", type=float, default=20)
    args = parser.parse_args()
    result = {"replies": [], "rcpt": {}, "data": None, "closed": False}
    try:
        s = Session(args.port, args.client, args.timeout)
        result["replies"] = s.replies
        s.read("")
        if args.raw:
            raw(s)
        else:
            transaction(s, args, result)
            s.say("QUIT")
    except (OSError, EOFError) as e:
        result["closed"] = True
        result["why"] = str(e)
    print(json.dumps(result))
    return 1 if result["closed"] else 0


if __name__ == "__main__":
    sys.exit(main())
