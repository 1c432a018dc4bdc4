#!/usr/bin/env python3
"""smtp.py - sends the demonstration's transactions and judges the replies.

usage: smtp.py PORT

Each transaction says who must have answered: "postern" (our reply carries
the decision's id in brackets, or our code), "postfix" (its own text), or
nobody (accepted).  The last line counts; the exit status is 0 when all
replies were as expected.
"""
import re
import smtplib
import sys

OUTSIDE, OURS = "127.0.0.2", "127.0.0.3"

CASES = [  # what, client, from, to, code, who answered
    ("accepted", OUTSIDE, "x@ok.example", "al@acme.example", 250, "accept"),
    ("blocked domain", OUTSIDE, "offers@bad.example", "al@acme.example",
     550, "postern"),
    ("its exception", OUTSIDE, "billing@bad.example", "al@acme.example",
     250, "accept"),
    ("a user's own block", OUTSIDE, "news@shop.example",
     "al@acme.example", 550, "postern"),
    ("the same, to another user", OUTSIDE, "news@shop.example",
     "bo@acme.example", 250, "accept"),
    ("outside to outside", OUTSIDE, "x@ok.example", "y@other.example",
     550, "postern"),
    ("our client to outside", OURS, "al@acme.example", "y@other.example",
     250, "accept"),
    ("disposable domain", OUTSIDE, "x@10minutemail.com",
     "al@acme.example", 550, "postern"),
]


def transact(port, client, sender, to):
    """The reply to RCPT, and when that was accepted the one to DATA."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example",
                      timeout=20, source_address=(client, 0)) as s:
        s.ehlo()
        code, text = s.mail(sender)
        if code == 250:
            code, text = s.rcpt(to)
        if code == 250:
            code, text = s.data(b"Subject: demonstration\r\nFrom: <"
                                + sender.encode() + b">\r\n\r\nHello.\r\n")
        return code, text.decode("utf-8", "replace")


def who(code, text):
    if code == 250:
        return "accept"
    return "postern" if re.search(r"\[[0-9A-Za-z-]+\]", text) else "postfix"


def main():
    port = int(sys.argv[1])
    bad = 0
    for what, client, sender, to, want_code, want_who in CASES:
        try:
            code, text = transact(port, client, sender, to)
        except (OSError, smtplib.SMTPException) as e:
            code, text = 0, "no reply: %s" % e
        good = code // 100 == want_code // 100 and who(code, text) == want_who
        bad += not good
        print("%-8s %s\n         %s -> %s from %s\n         %d %s  (%s)" % (
            "as meant" if good else "NOT SO", what, sender, to, client, code,
            text.replace("\n", " / "), who(code, text)))
    print("%d transactions, %d not as expected" % (len(CASES), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
