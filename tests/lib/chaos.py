#!/usr/bin/env python3
"""chaos.py - kills a controller and three nodes in random order under a stream
of changes and of questions, and judges what they answered.

usage: chaos.py BUILD DIR [--kills N] [--seconds S] [--seed N] [--pace S]

Prints "ok" and "not ok" lines and figures; the seed makes changes, questions
and kills the same again, their timing excepted.  Each change is named by a
number in its revision's message: when the controller dies before it has
answered, the revisions tell whether the change was taken.  chaos_model.py
says what each version must answer.
"""
import argparse
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

from chaos_model import DOCUMENT, Answer, Model, judge
from policy import read_answer, request

LIMIT_S = 300               # for what hangs, not for what is slow
KILLS_MIN, COMPARED_MIN = 10, 500
TICK_S = 0.01


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, condition, seconds=LIMIT_S):
    """Wait for the condition; what it gave, or the end of the test."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = condition()
        if got:
            return got
        time.sleep(TICK_S)
    raise TimeoutError("not within %d s: %s" % (seconds, what))


def get(url, path):
    c = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc,
                                   timeout=10)
    try:
        c.request("GET", path)
        return c.getresponse().read()
    finally:
        c.close()


def get_json(url, path):
    return json.loads(get(url, path))


class Process:
    """A program that is killed and started again in its folder."""

    def __init__(self, root, name, argv):
        self.name, self.argv = name, argv
        self.log = os.path.join(root, name + ".log")
        self.ready_file = os.path.join(root, name + ".json")
        self.p = self.ready = None
        self.life = 0           # how often it was started or killed
        self.started = 0.0

    def start(self, *more):
        if os.path.exists(self.ready_file):
            os.unlink(self.ready_file)
        with open(self.log, "ab") as log:
            self.started = time.monotonic()
            self.p = subprocess.Popen(
                self.argv + ["--ready-file", self.ready_file, *more],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.life += 1

    def is_ready(self):
        """Its ready line, once it is there."""
        if self.p.poll() is not None:
            raise RuntimeError("%s ended by itself with %d: %s" % (
                self.name, self.p.returncode, self.log))
        try:
            with open(self.ready_file, encoding="utf-8") as f:
                self.ready = json.load(f)
        except (OSError, ValueError):
            return None
        return self.ready

    def kill(self):
        self.life += 1
        self.ready = None
        self.p.kill()
        self.p.wait()


class Api:
    def __init__(self, controller):
        self.controller, self.token = controller, None

    def call(self, method, path, body=None):
        """Status and answer; OSError or HTTPException when it was not there
        or went away."""
        ready = self.controller.ready
        if ready is None:
            raise ConnectionError("the controller is away")
        if self.token is None:
            with open(ready["token_file"], encoding="ascii") as f:
                self.token = f.read().strip()
        c = http.client.HTTPConnection(
            urllib.parse.urlsplit(ready["api"]).netloc, timeout=30)
        try:
            c.request(method, path, None if body is None else
                      json.dumps(body).encode(),
                      {"Authorization": "Bearer " + self.token,
                       "Content-Type": "application/json"})
            r = c.getresponse()
            return r.status, json.loads(r.read())
        finally:
            c.close()

    def get(self, path):
        status, answer = self.call("GET", path)
        if status != 200:
            raise RuntimeError("%s: %d %s" % (path, status, answer))
        return answer


class Chaos:
    def __init__(self, build, root, seed, pace):
        self.rng, self.seed = random.Random(seed), seed
        self.root, self.pace = root, pace
        self.model = Model(random.Random(seed + 1))
        self.done = threading.Event()
        self.faults, self.answers = [], []
        self.changes, self.unanswered, self.asked = 0, 0, 0
        self.took = {"node": [], "node without controller": [],
                     "controller": []}
        ports = ["127.0.0.1:%d" % free_port() for _ in range(4)]
        self.controller = Process(root, "controller", [
            build + "/postern-controller", "--dir", root + "/controller",
            "--api", ports[0], "--control", "tcp://" + ports[1],
            "--events", "tcp://" + ports[2], "--enroll", "tcp://" + ports[3]])
        self.api = Api(self.controller)
        self.nodes = [Process(root, "mx%d" % i, [
            build + "/postern-node", "--dir", "%s/mx%d" % (root, i),
            "--name", "mx%d" % i, "--policy-tcp", "127.0.0.1:0",
            "--policy-unix", "%s/mx%d.sock" % (root, i)])
            for i in (1, 2, 3)]
        self.all = [self.controller] + self.nodes

    # --- changes ---

    def find(self, message):
        """The version that a revision with this message has, or None."""
        for r in self.api.get("/v1/revisions?limit=10")["revisions"]:
            if r.get("message") == message:
                return r["version"]
        return None

    def make(self, change):
        """Until it is known to be taken, through any number of deaths."""
        self.changes += 1
        message = "change %d" % self.changes
        path, body = change.path, dict(change.body, message=message)
        if change.method == "DELETE":
            path, body = path + "?message=change%%20%d" % self.changes, None
        in_doubt = False
        while True:
            try:
                version = self.find(message) if in_doubt else None
                if version is None:
                    status, answer = self.api.call(change.method, path, body)
                    if status != 200:
                        raise RuntimeError("%s %s: %d %s" % (
                            change.method, path, status, answer))
                    version = answer["version"]
                break
            except (OSError, http.client.HTTPException, ValueError):
                if not in_doubt:
                    self.unanswered += 1
                in_doubt = True
                self.done.wait(0.02)
        if version != self.model.version + 1:
            raise RuntimeError("change %d made version %d after %d" % (
                self.changes, version, self.model.version))
        self.model.taken(change, version)

    def make_changes(self):
        while not self.done.is_set():
            self.make(self.model.next_change())
            self.done.wait(self.pace)

    # --- questions ---

    def burst(self, node, rng):
        """Some questions on one connection, the version read before and
        after in the same life of the node."""
        life, url = node.life, node.ready["health"]
        low = get_json(url, "/readyz").get("version", 0)
        got = []
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(os.path.join(self.root, node.name + ".sock"))
                for _ in range(8):
                    self.asked += 1
                    got.append(self.question(s, rng, low, "%s.%d" % (
                        node.name, self.asked)))
            high = get_json(url, "/readyz").get("version", 0)
            if node.life == life:
                for a in got:
                    a.high = high
        finally:
            self.answers += got

    def question(self, s, rng, low, n):
        key, sender, to = self.model.probe(rng, n)
        began = time.monotonic()
        s.sendall(request([
            ("request", "smtpd_access_policy"), ("protocol_state", "RCPT"),
            ("client_address", "198.51.100.7"), ("instance", n),
            ("sender", sender), ("recipient", to)]))
        text = read_answer(s)
        m = re.match(r"550 .*\[(\w+)\]", text)
        action = ("refused" if m else "accepted" if text.startswith("DUNNO")
                  else text)
        return Answer(key, sender, action, m and m.group(1), low,
                      time.monotonic() - began)

    def ask(self, node, seed):
        rng = random.Random(seed)
        while not self.done.is_set():
            try:
                if node.ready is not None or node.is_ready():
                    self.burst(node, rng)
            except (OSError, EOFError, http.client.HTTPException, ValueError,
                    TypeError, RuntimeError):
                pass            # killed meanwhile: what ends by itself is
            self.done.wait(self.pace)       # found when it is awaited

    # --- deaths ---

    def enforces(self, node, version):
        try:
            return get_json(node.ready["health"],
                            "/readyz").get("version", 0) >= version
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def recover(self, p, pause_s):
        """Start it again, and wait until it has what was newest then; another
        kill may come first."""
        self.done.wait(pause_s)
        newest = self.model.version
        away = p is not self.controller and self.controller.ready is None
        lives = self.controller.life
        p.start()
        life = p.life
        until(p.name + " is ready", lambda: p.life != life or p.is_ready())
        if p is self.controller:
            if p.life == life:
                self.took["controller"].append(time.monotonic() - p.started)
            return
        until("%s enforces %d" % (p.name, newest), lambda: p.life != life or
              self.enforces(p, newest))
        if p.life == life:
            self.took["node without controller" if away or
                      self.controller.life != lives else "node"].append(
                          time.monotonic() - p.started)

    def kill_them(self, kills, seconds):
        """How many were killed.  Each may be killed again before it is
        ready, and while another is away."""
        end = time.monotonic() + seconds
        n, threads = 0, []
        while n < kills and not self.faults and (
                time.monotonic() < end or n < KILLS_MIN):
            self.done.wait(self.rng.uniform(0.1, 1.0))
            p = self.rng.choice(self.all)
            if p.p.poll() is not None:
                continue        # it is away already
            p.kill()
            n += 1
            pause_s = self.rng.uniform(0, self.rng.choice([0.1, 0.4, 0.4, 3]))
            threads.append(self.thread(self.recover, p, pause_s))
        for t in threads:
            t.join()
        return n

    # --- the whole ---

    def thread(self, work, *args):
        def guarded():
            try:
                work(*args)
            except Exception as e:      # pylint: disable=broad-except
                self.faults.append("%s: %r" % (work.__name__, e))
                self.done.set()
        t = threading.Thread(target=guarded)
        t.start()
        return t

    def begin(self):
        self.controller.start()
        until("the controller is ready", self.controller.is_ready)
        status, answer = self.api.call("POST", "/v1/apply", {
            "documents": [{"name": "policy.yaml", "text": DOCUMENT}]})
        if status != 200:
            raise RuntimeError("apply: %s" % answer)
        self.model.version = answer["version"]
        for node in self.nodes:
            path = os.path.join(self.root, node.name + ".token")
            status, answer = self.api.call("POST", "/v1/nodes/join-token", {})
            with open(path, "w", encoding="ascii",
                      opener=lambda p, f: os.open(p, f, 0o600)) as f:
                f.write(answer["token"])
            node.start("--join-file", path)
        for node in self.nodes:
            until(node.name + " is ready", node.is_ready)
            until(node.name + " enforces a version", lambda n=node:
                  self.enforces(n, self.model.version))

    def settled(self):
        """The nodes, once all stand at the newest version with its digest."""
        j = self.api.get("/v1/nodes")
        same = {(n["version"], n["digest"], n["engine"]) for n in j["nodes"]}
        ok = len(same) == 1 and len(j["nodes"]) == len(self.nodes) and all(
            n["version"] == self.model.version == j["head"]["version"] and
            n["digest"] == j["head"]["digest"] and n["converged"] and
            n["audit"] == "ok"
            for n in j["nodes"])
        return j if ok else None

    def delivered(self):
        """Whether no node has an event that the controller did not confirm,
        as the nodes say now: an acknowledgement may be of before."""
        return all(b"\npostern_spool_events 0\n" in
                   get(n.ready["health"], "/metrics") for n in self.nodes)

    def all_events(self):
        """All of the message center; those there twice, by id or sender."""
        events, senders, twice, before = {}, set(), [], ""
        while True:
            page = self.api.get("/v1/messages?limit=1000" + before)
            for m in page["messages"]:
                if m["id"] in events or m["from"] in senders or \
                        m.get("repeats", 1) > 1:
                    twice.append(m["id"])
                events[m["id"]] = m
                senders.add(m["from"])
            if not page.get("next"):
                return events, twice
            before = "&before=" + urllib.parse.quote(page["next"])

    def run(self, kills, seconds):
        self.begin()
        work = [self.thread(self.make_changes)] + [
            self.thread(self.ask, n, self.seed + 2 + i)
            for i, n in enumerate(self.nodes)]
        began = time.monotonic()
        n = self.kill_them(kills, seconds)
        self.done.set()
        for t in work:
            t.join()
        took = time.monotonic() - began
        if self.faults:
            raise RuntimeError("; ".join(self.faults))
        self.make(self.model.next_change())     # ends what may be held
        j = until("all nodes at one version", self.settled)
        self.done.clear()
        for i, node in enumerate(self.nodes):   # each asked about the end
            rng = random.Random(self.seed + 100 + i)
            for _ in range(30):
                self.burst(node, rng)
        until("all events are delivered", self.delivered)
        return n, took, j


def centile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def holds(name, fault):
    print("not ok %s: %s" % (name, fault) if fault else "ok " + name)
    return not fault


def report(c, kills, want, took, nodes):
    events, twice = c.all_events()
    wrong, lost, n = judge(c.model, c.answers, events)
    shifted = judge(c.model, c.answers, events, 3)[0]
    counted = c.api.get("/v1/status")["messages"]
    some = next(a.id for a in c.answers if a.action == "refused")
    gone = dict(events)
    gone.pop(some, None)
    undecided = sorted({a.action for a in c.answers
                        if a.action not in ("refused", "accepted")})
    print("# %d of %d kills in %.0f s, %d changes (%d without an answer), "
          "ended on version %d" % (kills, want, took, c.changes,
                                   c.unanswered, c.model.version))
    print("# %d verdicts compared: %d refused at the version they name, %d "
          "accepted (%d within one version)" % (
              n["refused"] + n["accepted"], n["refused"], n["accepted"],
              n["accepted_exactly"]))
    print("# not compared: %d accepted by a node that was killed then, %d "
          "deferred %s; %d of %d events lost behind an answer that took over "
          "250 ms" % (n["unbounded"], n["undecided"], undecided[:3],
                      n["late_lost"], len(events)))
    for what, values in c.took.items():
        if values:
            print("# %s: %d times enforcing again, p50 %.0f ms, p99 %.0f ms, "
                  "longest %.0f ms" % (what, len(values), *(
                      1000 * v for v in (centile(values, 50),
                                         centile(values, 99), max(values)))))
    compared = n["refused"] + n["accepted"]
    fine = [
        holds("kills_were_made", kills < min(want, KILLS_MIN) and
              "%d only" % kills),
        holds("all_end_on_one_version_digest_and_engine", not nodes),
        holds("verdicts_were_compared", compared < COMPARED_MIN and
              "%d only" % compared),
        holds("every_verdict_is_that_of_its_version", "\n".join(wrong[:5])),
        holds("nearly_all_were_decided", n["undecided"] * 100 >
              len(c.answers) and "%d deferred" % n["undecided"]),
        holds("no_event_is_lost", lost[:5]),
        holds("no_event_is_there_twice", twice[:5]),
        holds("no_event_is_counted_twice", counted != len(events) and
              "%d counted, %d there" % (counted, len(events))),
        holds("twin_verdict_of_another_version_is_found", not shifted),
        holds("twin_lost_event_is_found", some not in judge(
            c.model, c.answers, gone)[1] and some)]
    return all(fine)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("dir")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--pace", type=float, default=0.02)
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    print("# seed %d" % args.seed)
    c = Chaos(os.path.abspath(args.build), os.path.abspath(args.dir),
              args.seed, args.pace)
    try:
        kills, took, nodes = c.run(args.kills, args.seconds)
        return 0 if report(c, kills, args.kills, took, nodes) else 1
    except (RuntimeError, TimeoutError, OSError) as e:
        holds("chaos_comes_to_an_end", str(e))
        return 1
    finally:
        c.done.set()
        for p in c.all:
            if p.p is not None and p.p.poll() is None:
                p.kill()


if __name__ == "__main__":
    sys.exit(main())
