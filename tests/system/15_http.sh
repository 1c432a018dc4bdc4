#!/usr/bin/env bash
# 15_http.sh - the controller's HTTP over its real socket: requests with two
# meanings, too large, too slow, without the right; none does anything.
. "$(dirname "$0")/../lib/system.sh"

start_dev --nodes 1 --policy deploy/examples/acme.yaml
before=$("$postern" status -o json | json 'j["version"]')
python3 - "$POSTERN_ADDR" "$POSTERN_TOKEN_FILE" "${node_health[0]}" <<'PY'
import re
import socket
import sys
import time

api = sys.argv[1].split("//")[1]
token = open(sys.argv[2]).read().strip()
health = sys.argv[3].split("//")[1].rstrip("/")
auth = "Authorization: Bearer %s\r\n" % token
body = '{"add": ["smuggled.example"]}'
line = "POST /v1/groups/Blocked%20Senders/entries HTTP/1.1\r\n"
hosts = "Host: x\r\n"
length = "Content-Length: %d\r\n" % len(body)


def talk(data, where=api, pause=None, limit=60):
    """The status, the head, seconds."""
    host, port = where.rsplit(":", 1)
    begin = time.monotonic()
    got = b""
    with socket.create_connection((host, int(port)), limit) as s:
        s.settimeout(limit)
        try:
            if pause is None:
                s.sendall(data.encode("latin-1"))
            else:
                for c in data:
                    s.sendall(c.encode("latin-1"))
                    s.settimeout(pause)
                    try:
                        more = s.recv(1)
                        got += more
                        break
                    except socket.timeout:
                        s.settimeout(limit)
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
        except (ConnectionResetError, BrokenPipeError):
            pass
    text = got.decode("latin-1")
    m = re.match(r"HTTP/1\.1 (\d+)", text)
    return (int(m.group(1)) if m else 0), text, time.monotonic() - begin


def check(name, want, data, where=api):
    status, text, _ = talk(data, where)
    good = status in (want if isinstance(want, tuple) else (want,))
    # libmicrohttpd 0.9.75 sends the head of its own errors, which are HTML,
    # twice
    one = text.count("HTTP/1.1 ") <= (2 if "<html>" in text else 1)
    if good and one:
        print("ok " + name)
    else:
        print("not ok %s: %d, expected %s: %r" % (name, status, want,
                                                  text[:300]))
    sys.stdout.flush()
    return text


get = "GET /v1/status HTTP/1.1\r\n"
check("good_request_is_200", 200, get + hosts + auth + "\r\n")
check("two_lengths", 400, line + hosts + auth + length + length + "\r\n" + body)
check("two_different_lengths", 400, line + hosts + auth + length +
      "Content-Length: 1\r\n\r\n" + body)
check("two_hosts", 400, get + hosts + "Host: y\r\n" + auth + "\r\n")
check("no_host", 400, get + auth + "\r\n")
chunked = "Transfer-Encoding: chunked\r\n"
chunks = "%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
check("two_encodings", 400, line + hosts + auth + chunked + chunked + "\r\n" +
      chunks)
check("length_and_encoding", 400, line + hosts + auth + length + chunked +
      "\r\n" + chunks)
check("other_encoding", 400, line + hosts + auth +
      "Transfer-Encoding: gzip\r\n\r\n" + chunks)
check("length_no_number", 400, line + hosts + auth +
      "Content-Length: +5\r\n\r\nhello")
check("two_authorizations", 400, get + hosts + auth + auth + "\r\n")
check("oversize_by_its_length", 413, line + hosts + auth +
      "Content-Length: 99999999999\r\n\r\n")
check("oversize_for_this_route", 413, "POST /v1/explain HTTP/1.1\r\n" + hosts + auth +
      "Content-Length: 2000000\r\n\r\n" + "x" * 2000000)
check("oversize_head", (431, 0), get + hosts + auth + "X: " + "a" * 100000 +
      "\r\n\r\n")
check("nul_in_the_path", 400, "GET /v1/sta%00tus HTTP/1.1\r\n" + hosts +
      auth + "\r\n")
check("second_request_is_not_read", 200, get + hosts + auth + "\r\n" + line +
      hosts + auth + length + "\r\n" + body)
text = check("no_token", 401, get + hosts + "\r\n")
if "WWW-Authenticate: Bearer" in text:
    print("ok no_token_says_which")
else:
    print("not ok no_token_says_which: %r" % text)
check("wrong_token", 401, get + hosts + "Authorization: Bearer " +
      token[:-1] + ("a" if token[-1] != "a" else "b") + "\r\n\r\n")
check("empty_token", 401, get + hosts + "Authorization: Bearer \r\n\r\n")
check("basic_instead", 401, get + hosts + "Authorization: Basic eDp5\r\n\r\n")
check("unknown_route_without_token", 401, "GET /v1/x HTTP/1.1\r\n" + hosts +
      "\r\n")
check("unknown_route", 404, "GET /v1/x HTTP/1.1\r\n" + hosts + auth + "\r\n")
check("wrong_method", 405, "DELETE /v1/status HTTP/1.1\r\n" + hosts + auth +
      "\r\n")
check("unknown_method", 501, "BREW /v1/status HTTP/1.1\r\n" + hosts + auth +
      "\r\n")
check("http_2_preface", (400, 505, 0), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
check("garbage", (400, 0), "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
check("health_post", 405, "POST /readyz HTTP/1.1\r\n" + hosts +
      "Content-Length: 0\r\n\r\n", health)
check("health_unknown_page", 404, "GET /x HTTP/1.1\r\n" + hosts + "\r\n",
      health)

# a client that sends a byte now and then: the whole request has a deadline
# (5 s at a node), whatever comes meanwhile, and others are served
slow = "GET /readyz HTTP/1.1\r\n" + hosts + "X: " + "a" * 400
status, text, took = talk(slow, health, pause=0.1)
if status != 200 and took > 3:
    print("ok slow_client_is_cut_at_the_deadline")
else:
    print("not ok slow_client_is_cut_at_the_deadline: %d after %.1f s" % (
        status, took))

# silent clients do not keep others out
held = [socket.create_connection(tuple(api.split(":")), 10)
        for _ in range(50)]
check("served_beside_silent_clients", 200, get + hosts + auth + "\r\n")
for s in held:
    s.close()
PY
same nothing_was_written "$("$postern" status -o json |
    json 'j["version"]')" "$before"
expect nothing_was_smuggled_in 1 "$postern" group where smuggled.example
holds node_still_answers refuses "${node_tcp[0]}"
printf x >"$dir/token"
chmod 600 "$dir/token"
expect wrong_token_is_6 6 "$postern" status --token-file "$dir/token"
expect nobody_there_is_5 5 "$postern" status --addr \
    "http://127.0.0.1:$(free_port)"
chmod 644 "$POSTERN_TOKEN_FILE"
expect token_for_all_to_read_is_6 6 "$postern" status
