"""chaos_model.py - what each version of the policy must answer, kept apart from
the programs: a stream of changes, each of which turns known senders from
accepted to refused or back, and the judgement on the verdicts received.

The senders of one kind know nothing of another, so that a verdict hangs on
one fact alone:

    group   x@gI.example       an entry of a blocked group
    big     x@eN.bBATCH.example  as group, thousands in one change
    user    x@uI.example       a user's own block
    policy  x@pI.example       a policy of its own blocks the domain
    lifted  x@lI.example       a user's block, lifted while a policy permits
"""
import bisect
import json

GROUP, USERS, USER, POLICY, LIFTED = 60, 6, 5, 12, 6
BIG = [500, 3000, 12000]        # the last is more than one delta may hold
LATE_S = 0.24                   # an answer as late may precede its event
AT_ACME = "@acme.example"

# what is there from the start; the lifted senders are refused
DOCUMENT = """organization: {internal_domains: [acme.example]}
groups:
  Blocked Senders: [bad.example]
policies:
  - {id: bulk, type: blocked_senders, narrative: Bulk, action: block_sender,
     from: {group: Blocked Senders}, to: internal}
managed_senders:
  lifted@acme.example:
""" + "".join("    - {block: l%d.example}\n" % i for i in range(LIFTED))


class Change:
    """One request to the API and the facts that are so from its version."""

    def __init__(self, method, path, body, facts):
        self.method, self.path, self.body, self.facts = (method, path, body,
                                                         facts)


class Model:
    def __init__(self, rng):
        self.rng = rng
        self.version = 0        # the newest that is known to be there
        self.facts = {}         # key -> ([versions], [refused from there on])
        self.keys = []
        for n, kind in ((GROUP, "group"), (len(BIG), "big"),
                        (POLICY, "policy"), (LIFTED, "lifted")):
            self.keys += [(kind, i, 0) for i in range(n)]
        self.keys += [("user", i, u) for i in range(USER)
                      for u in range(USERS)]
        for key in self.keys:
            self.facts[key] = ([0], [key[0] == "lifted"])

    def now(self, key):
        return self.facts[key][1][-1]

    def at(self, key, version):
        """Whether that version refuses the key's senders."""
        versions, refused = self.facts[key]
        return refused[bisect.bisect_right(versions, version) - 1]

    def taken(self, change, version):
        for key, refused in change.facts.items():
            self.facts[key][0].append(version)
            self.facts[key][1].append(refused)
        self.version = version

    def probe(self, rng, n):
        """A question: key, sender, recipient; n makes the sender unique."""
        kind, i, u = key = rng.choice(self.keys)
        to = {"user": "u%d" % u, "lifted": "lifted"}.get(kind, "al")
        domain = kind[0] + str(i)
        if kind == "big":
            domain = "e%d.%s" % (rng.randrange(BIG[i]), domain)
        return key, "x%s@%s.example" % (n, domain), to + AT_ACME

    def entries(self, keys):
        for kind, i, _ in keys:
            if kind == "big":
                for n in range(BIG[i]):
                    yield "e%d.b%d.example" % (n, i)
            else:
                yield "g%d.example" % i

    def change_group(self, keys):
        add = [k for k in keys if not self.now(k)]
        gone = [k for k in keys if self.now(k)]
        return Change("POST", "/v1/groups/Blocked%20Senders/entries",
                      {"add": list(self.entries(add)),
                       "remove": list(self.entries(gone))},
                      {k: k in add for k in keys})

    def change_user(self, key):
        block = not self.now(key)
        return Change("POST", "/v1/senders",
                      {"user": "u%d%s" % (key[2], AT_ACME),
                       "action": "block" if block else "remove",
                       "entries": ["u%d.example" % key[1]]}, {key: block})

    def change_policy(self, key):
        """A policy that blocks, or one that permits what a user blocks."""
        kind, i, _ = key
        lifts = kind == "lifted"
        path = "/v1/policies/%s%d" % (kind, i)
        if self.now(key) != lifts:
            return Change("DELETE", path, {}, {key: lifts})
        policy = {"type": "permitted_senders" if lifts else "blocked_senders",
                  "action": "permit_sender" if lifts else "block_sender",
                  "narrative": "of the test", "to": "internal",
                  "from": {"domain": "%s%d.example" % (kind[0], i)}}
        return Change("POST", path, {"create": True, "policy": policy},
                      {key: not lifts})

    def next_change(self):
        what = self.rng.random()
        kind = ("big" if what < 0.03 else "group" if what < 0.5 else
                "user" if what < 0.75 else
                "policy" if what < 0.9 else "lifted")
        keys = [k for k in self.keys if k[0] == kind]
        if kind == "group":
            return self.change_group(self.rng.sample(
                keys, self.rng.choice([1, 1, 1, 2, 5, 20])))
        key = self.rng.choice(keys)
        return (self.change_group([key]) if kind == "big" else
                self.change_user(key) if kind == "user" else
                self.change_policy(key))


class Answer:
    """What a node said.  low and high are the versions it enforced before
    and after, None when it was killed meanwhile."""
    __slots__ = ("key", "sender", "action", "id", "low", "high", "took_s")

    def __init__(self, key, sender, action, event_id, low, took_s):
        self.key, self.sender, self.action, self.id = (key, sender, action,
                                                       event_id)
        self.low, self.high, self.took_s = low, None, took_s

    def fits(self, model, event, shift=0):
        """Whether it is what the version it names says (shift: what the
        versions before it say, for the test of this test)."""
        if self.action == "refused":
            kind, i, _ = self.key
            policy = {"group": "bulk", "big": "bulk", "policy":
                      "policy%d" % i}.get(kind)
            v = event["version"]
            return (model.at(self.key, v - shift) and
                    event["from"] == self.sender and
                    event["policy"] == policy and
                    (self.high is None or self.low <= v <= self.high))
        versions = range(self.low - shift, self.high - shift + 1)
        return any(not model.at(self.key, v) for v in versions)


def judge(model, answers, events, shift=0):
    """Compare all; what was wrong, as texts, and the counts."""
    wrong, lost = [], []
    n = dict.fromkeys(("refused", "accepted", "accepted_exactly", "undecided",
                       "unbounded", "late_lost"), 0)
    for a in answers:
        event = events.get(a.id)
        if a.action not in ("refused", "accepted"):
            n["undecided"] += 1
        elif a.action == "refused" and event is None:
            if a.took_s >= LATE_S:
                n["late_lost"] += 1
            else:
                lost.append(a.id)
        elif a.action == "accepted" and a.high is None:
            n["unbounded"] += 1
        else:
            n[a.action] += 1
            if a.action == "accepted" and a.low == a.high:
                n["accepted_exactly"] += 1
            if not a.fits(model, event, shift):
                wrong.append("%s %s, versions %s to %s, event %s" % (
                    a.sender, a.action, a.low, a.high, json.dumps(event)))
    return wrong, lost, n
