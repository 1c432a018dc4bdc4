#!/usr/bin/env python3
"""smtp.py - sends the demonstration's transactions and judges the replies.

usage: smtp.py PORT FILE

Each transaction says who must have answered: Postern (the reply carries the
id of its decision), Postfix (its own text), or nobody (accepted).  FILE gets
a line "ID REASON" for each refusal of Postern's, for the message center to
be held against.  The last line counts; the exit status is 0 when all replies
were as expected.
"""
import re
import smtplib
import sys

OUTSIDE, OURS = "127.0.0.2", "127.0.0.3"

CASES = [  # what, client, from, to, code, the reason of a refusal
    ("accepted", OUTSIDE, "x@ok.example", "al@acme.example", 250, None),
    ("blocked domain", OUTSIDE, "offers@bad.example", "al@acme.example",
     550, "blocked_envelope"),
    ("its exception", OUTSIDE, "billing@bad.example", "al@acme.example",
     250, None),
    ("a user's own block", OUTSIDE, "news@shop.example",
     "al@acme.example", 550, "user_blocked_envelope"),
    ("the same, to another user", OUTSIDE, "news@shop.example",
     "bo@acme.example", 250, None),
    ("throw-away domain", OUTSIDE, "x@10minutemail.com",
     "al@acme.example", 550, "blocked_envelope"),
    ("our client to outside", OURS, "al@acme.example", "y@other.example",
     250, None),
    ("the same client, sender from outside", OURS, "x@ok.example",
     "y@other.example", 550, "relay_external"),
    ("a client from outside to outside", OUTSIDE, "x@ok.example",
     "y@other.example", 554, "relay_unauthorized"),
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


def main():
    port = int(sys.argv[1])
    bad = 0
    with open(sys.argv[2], "w", encoding="ascii") as ids:
        for what, client, sender, to, want_code, want_reason in CASES:
            try:
                code, text = transact(port, client, sender, to)
            except (OSError, smtplib.SMTPException) as e:
                code, text = 0, "no reply: %s" % e
            found = re.search(r"\[([0-9A-Z]{10})\]", text)
            who = "accepted" if code == 250 else \
                "Postern" if found else "Postfix"
            good = code == want_code and \
                who == ("Postern" if want_reason else "accepted")
            bad += not good
            if found:
                ids.write("%s %s\n" % (found.group(1), want_reason))
            print("%-8s %s: %s to %s from %s\n         %d %s  (%s)" % (
                "as meant" if good else "NOT SO", what, sender or "<>", to,
                client, code, text.replace("\n", " / "), who))
    print("%d transactions, %d not as expected" % (len(CASES), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
