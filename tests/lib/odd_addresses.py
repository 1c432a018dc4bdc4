#!/usr/bin/env python3
"""odd_addresses.py - what a node and Postfix each make of odd addresses.

usage: odd_addresses.py send PORT CORPUS
       odd_addresses.py compare CORPUS MESSAGES MAIL_LOG

The corpus is tests/fixtures/addresses/postfix.txt or one like it.  send offers
each address to the server as a sender (of a message to sN@acme.example) and
as a recipient (of a message from rN@out.example), N its line; it prints how
many messages were accepted.  compare takes what the message center has (JSON)
and what Postfix logged, and prints ok or not ok.
"""
import ipaddress
import json
import re
import sys
import unicodedata

from smtp import Session


def corpus(path):
    with open(path, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                expected, address = line.split("\t", 1)
                yield n, expected, address


def transaction(s, sender, recipient, utf8):
    s.say("RSET")
    option = " SMTPUTF8" if utf8 else ""
    if s.say("MAIL FROM:<%s>%s" % (sender, option)) != 250:
        return False
    if s.say("RCPT TO:<%s>" % recipient) != 250 or s.say("DATA") != 354:
        return False
    return s.message(["Subject: test", "", "Hello."]) == 250


def send(port, path):
    s = Session(port, "127.0.0.3", 20)
    s.read("")
    s.say("EHLO client.example")
    accepted = 0
    for n, _, address in corpus(path):
        utf8 = not address.isascii()
        accepted += transaction(s, address, "s%d@acme.example" % n, utf8)
        accepted += transaction(s, "r%d@out.example" % n, address, utf8)
    s.say("QUIT")
    print(accepted)


def label(text):
    """A label of a domain in Unicode, to compare."""
    if text.startswith("xn--"):
        text = text[4:].encode().decode("punycode")
    return unicodedata.normalize("NFC", text.lower())


def meaning(text):
    """Local part and domain as they are compared, without quotes."""
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"(?:@(.*))?$', text, re.S)
    if quoted:
        local = re.sub(r"\\(.)", r"\1", quoted.group(1))
        domain = quoted.group(2) or ""
    elif "@" in text:
        local, _, domain = text.rpartition("@")
    else:
        local, domain = text, ""
    local = unicodedata.normalize("NFC", local)
    local = local.lower() if local.isascii() else local.casefold()
    if domain.lower().startswith("[ipv6:"):
        return local, str(ipaddress.ip_address(domain[6:-1]))
    return local, ".".join(label(x) for x in domain.lower().split("."))


def delivered(path):
    """Of each queue id that was sent on, (from, to)."""
    senders, result = {}, []
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            m = re.search(r" (\w+): from=<(.*)>, size=", line)
            if m:
                senders[m.group(1)] = m.group(2)
            m = re.search(r" (\w+): to=<(.*?)>, (?:orig_to=<.*?>, )?relay=.*"
                          r"status=sent", line)
            if m:
                result.append((senders.get(m.group(1)), m.group(2)))
    return result


def decided(path):
    with open(path, encoding="utf-8") as f:
        return [(m["from"], m["to"], m["reason"])
                for m in json.load(f)["messages"]]


def judge(expected, event, mail):
    """What is wrong with one address on one side, or None."""
    if expected == "-":
        return None if event is None and mail is None else \
            "Postfix took it"
    if mail is None:
        return "Postfix did not deliver it"
    local, domain = meaning(mail)
    if expected == "b" and domain != "mx.acme.example":
        return "Postfix made it %s" % mail
    if event is None:       # nothing was refused: the protected recipient
        return None if expected == "b" and local == "postmaster" else \
            "the node did not refuse it"
    address, reason = event
    if expected == "!":
        return None if reason.endswith("_syntax") else "the node took it"
    want = (local, "" if expected == "b" else domain)
    if reason.endswith("_syntax") or meaning(address) != want:
        return "the node had %s (%s), Postfix %s" % (address, reason, mail)
    return None


def compare(path, messages, log):
    events, mails = decided(messages), delivered(log)
    for side, name, key in ((0, "senders", "s%d@acme.example"),
                            (1, "recipients", "r%d@out.example")):
        bad, n = 0, 0
        for line, expected, address in corpus(path):
            other = key % line
            event = [(e[side], e[2]) for e in events if e[1 - side] == other]
            mail = [m[side] for m in mails if m[1 - side] == other]
            why = judge(expected, event[0] if event else None,
                        mail[0] if mail else None)
            n += 1
            if why:
                bad += 1
                print("not ok %s_line_%d: %s: %s" % (name, line, address, why))
        if n == 0 or bad == 0:
            print("%s %s_mean_what_postfix_delivers: %d addresses" %
                  ("ok" if n else "not ok", name, n))


def main():
    if sys.argv[1] == "send":
        send(int(sys.argv[2]), sys.argv[3])
    else:
        compare(*sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
