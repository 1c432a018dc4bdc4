#!/usr/bin/env python3
"""second_reader.py - reads what goes over the wire as PROTOCOL.md says it.

usage: second_reader.py cert ROOT_PUB PUBLISHER_KEY
       second_reader.py token ROOT_PUB TOKEN_FILE
       second_reader.py chunk CHUNK_FILE
       second_reader.py audit CHAIN_FILE
       second_reader.py known

Written from the protocol's text and none of the program's code, so that a test
finds where the two part.  cert verifies a certificate (openssl knows Ed25519)
and prints its fields; token takes a join token apart; chunk prints the digest
and the number of the records in a chunk; audit follows the entries that the
controller gives (GET /v1/audit/chain) and prints where they end; known holds the known answers.
"""
import base64
import hashlib
import json
import struct
import subprocess
import sys
import tempfile


def blake(data, size=32):
    return hashlib.blake2b(data, digest_size=size).digest()


def expect(true, what):
    if not true:
        sys.exit("second_reader: " + what)


# --- section 3 ---------------------------------------------------------------

def verify(public, signature, message):
    der = bytes.fromhex("302a300506032b6570032100") + public
    with tempfile.TemporaryDirectory() as d:
        for name, data in (("key", der), ("sig", signature),
                           ("msg", message)):
            with open(d + "/" + name, "wb") as f:
                f.write(data)
        return subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER",
             "-inkey", d + "/key", "-rawin", "-in", d + "/msg", "-sigfile",
             d + "/sig"], capture_output=True).returncode == 0


def open_signed(frame, kind, name, public):
    expect(len(frame) >= 73 and frame[0] == kind, "no such frame")
    expect(frame[1:9] == blake(public)[:8], "another key id")
    payload = frame[73:]
    message = b"postern/1/" + name + b"\0" + payload
    expect(verify(public, frame[9:73], message), "the signature is wrong")
    changed = message[:-1] + bytes([message[-1] ^ 1])
    expect(not verify(public, frame[9:73], changed), "anything verifies")
    return payload


def cert(root, publisher_file):
    frame = bytes.fromhex(open(publisher_file).read().split("\n")[1])
    payload = open_signed(frame, 1, b"cert", root)
    expect(len(payload) == 56, "a certificate of another length")
    serial, not_after, min_serial = struct.unpack(">QqQ", payload[32:])
    print(json.dumps({"serial": serial, "not_after_us": not_after,
                      "min_serial": min_serial}))


# --- section 4 ---------------------------------------------------------------

def chacha20(key, size):
    """The original ChaCha20: counter and nonce of 64 bits, both from 0."""
    def quarter(x, a, b, c, d):
        for first, second, third, bits in ((a, b, d, 16), (c, d, b, 12),
                                           (a, b, d, 8), (c, d, b, 7)):
            x[first] = (x[first] + x[second]) & 0xffffffff
            v = x[third] ^ x[first]
            x[third] = (v << bits | v >> (32 - bits)) & 0xffffffff

    out = b""
    for block in range(size // 64):
        state = list(struct.unpack("<4I", b"expand 32-byte k")) + \
            list(struct.unpack("<8I", key)) + [block, 0, 0, 0]
        x = list(state)
        for _ in range(10):
            for i in range(4):
                quarter(x, i, i + 4, i + 8, i + 12)
            for i in range(4):
                quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4,
                        12 + (i + 3) % 4)
        out += struct.pack("<16I", *((a + b) & 0xffffffff
                                     for a, b in zip(x, state)))
    return out


def digest(records, record_format=1):
    sums = [0] * 1024
    for key, value in records:
        seed = blake(b"postern.record\0" + struct.pack(">I", len(key)) +
                     key + value)
        element = struct.unpack("<1024H", chacha20(seed, 2048))
        sums = [(a + b) & 0xffff for a, b in zip(sums, element)]
    return blake(struct.pack("<1024H", *sums) +
                 struct.pack(">QI", len(records), record_format)).hex()


def chunk(path):
    data, at, records = open(path, "rb").read(), 0, []
    expect(len(data) <= 1 << 20, "a chunk over its limit")
    while at < len(data):
        key_len, value_len = struct.unpack_from(">HI", data, at)
        at += 6
        expect(key_len >= 1 and at + key_len + value_len <= len(data),
               "a record out of range")
        records.append((data[at:at + key_len],
                        data[at + key_len:at + key_len + value_len]))
        at += key_len + value_len
    expect([k for k, _ in records] == sorted({k for k, _ in records}),
           "records out of order")
    print(json.dumps({"hash": blake(data).hex(), "records": len(records),
                      "digest": digest(records)}))


def known():
    expect(digest([]) == "4ab48e310360cfc3727e54a96ec05282011e47cd681f2f7ac3"
           "45b88e9264ccdb", "the digest of the empty set")
    follow([('{"sequence":1,"time_us":0,"result":"ok"}', "2440ffb20a7d9c4fe4a"
             "cf564b24c2d84e21ec5d594b1a2112d197a134ae73998"),
            ('{"sequence":9,"above":8,"time_us":1,"result":"ok"}', "c1f6f94d8"
             "f3a58903d0756eae7c91ddfe9f04d58b022d124afede5b29fceb78e")])
    expect(digest([(b"Fexample.com", b"")]) == "7a2bb40017b94730d2a7a9e95684"
           "ed7905d6a96e511335f7f75692f763f5bd2f", "the digest of one record")


# --- section 11 ---------------------------------------------------------------

def follow(entries, seq=0, end=bytes(32), adopted=0):
    for text, claimed in entries:
        line = json.loads(text)
        head = '{"sequence":%d,' % line["sequence"]
        if "above" in line:
            head += '"above":%d,' % line["above"]
            expect(line["above"] >= seq, "an entry above too little")
            seq = line["above"]
            adopted = seq + 1
        expect(text.startswith(head + '"time_us":'), "a line out of order")
        expect(line["sequence"] == seq + 1, "a gap in the sequence")
        seq += 1
        end = blake(b"postern.audit\0" + end + text.encode())
        expect(end.hex() == claimed, "entry %d has another hash" % seq)
    return {"sequence": seq, "hash": end.hex(), "adopted": adopted}


def audit(path):
    j = json.load(open(path))
    expect(j["base"] == follow([]), "the log does not begin at its beginning")
    print(json.dumps(follow([(e["line"], e["hash"]) for e in j["entries"]])))


# --- section 8 ---------------------------------------------------------------

def token(root, path):
    text = open(path).read().strip()
    expect(text.startswith("postern-join-1."), "no join token")
    text = text[len("postern-join-1."):]
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    end = 1 + raw[0]
    expect(len(raw) == end + 32 + 32 + 16 + 8 + 4, "a token out of shape")
    expect(raw[-4:] == blake(raw[:-4])[:4], "a token that is damaged")
    expect(raw[end + 32:end + 64] == blake(root), "a token for another root")
    print(json.dumps({
        "endpoint": raw[1:end].decode(),
        "expires_us": struct.unpack(">q", raw[end + 80:end + 88])[0]}))


def main():
    verb, args = sys.argv[1], sys.argv[2:]
    if verb in ("cert", "token"):
        args[0] = bytes.fromhex(open(args[0]).read().strip())
    {"cert": cert, "token": token, "chunk": chunk, "audit": audit,
     "known": known}[verb](*args)


if __name__ == "__main__":
    main()
