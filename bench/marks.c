/*
 * marks.c - the marks, in the order they are told.
 */
#include "bench/marks.h"

#define NONE { NULL, NULL, NULL, NULL }
#define DECIDE(step, mix, way) { step, "decision", \
	"mix=" mix "|way=" way, "ns" }
#define FRONT(load, target, cell) { NULL, "fronts", \
	"load=" load "|target=" target, cell }
/* A front against the server that does as little as can be done. */
#define FRONT_MARKS(load, null, rate, cpu, p99) \
	{ load ": requests/s", FRONT(load, "node", "req/s"), \
	    FRONT(load, null, "req/s"), "x req/s", MARK_AT_LEAST, rate, \
	    false }, \
	{ load ": CPU us a request", FRONT(load, "node", "cpu us"), \
	    FRONT(load, null, "cpu us"), "x cpu", MARK_AT_MOST, cpu, false }, \
	{ load ": p99 us", FRONT(load, "node", "p99 us"), \
	    FRONT(load, null, "p99 us"), "x p99", MARK_AT_MOST, p99, false }
#define STALL(phase, cell) { NULL, "stall", "while=" phase, cell }
/* Theirs is the null server's at the same time: what the machine did. */
#define STALL_MARKS(phase) \
	{ phase ": p99 to quiet, and null's", STALL(phase, "x quiet"), \
	    STALL(phase, "beside: x quiet"), NULL, MARK_AT_MOST, 1.3, \
	    true }, \
	{ phase ": longest answer, us, and null's then", \
	    STALL(phase, "max us"), STALL(phase, "beside then: max us"), \
	    NULL, MARK_AT_MOST, 5000, true }
#define SMTP(load, server, cell) { NULL, "smtp", \
	"load=" load "|server=" server, cell }
#define POSTFIX_MARKS(text, load) \
	{ "Postfix, " text ": rcpt/s, to null", \
	    SMTP(load, "node", "rcpt/s"), \
	    SMTP(load, "null", "rcpt/s"), "x rcpt/s", MARK_AT_LEAST, \
	    0.97, false }, \
	{ "Postfix, " text ": CPU us of both a rcpt, to null", \
	    SMTP(load, "node", "cpu us of all"), \
	    SMTP(load, "null", "cpu us of all"), "x cpu of all", \
	    MARK_AT_MOST, 1.03, false }, \
	{ "Postfix, " text ": rcpt/s, to lmdb", \
	    SMTP(load, "node", "rcpt/s"), \
	    SMTP(load, "lmdb", "rcpt/s"), NULL, MARK_AT_LEAST, 1, false }
#define MILTER(load, milter) { NULL, "milters", \
	"load=" load "|milter=" milter, "cpu us" }
#define ONE_RCPT "16 connections, 1 recipients"
#define PEER(load, target, cell) { NULL, "policy servers", \
	"load=" load "|target=" target, cell }
#define JOIN "join with the whole set"
#define FLEET "server=controller's fleet"
#define PEER_MARKS(load) \
	{ "rspamd, 2 workers, " load ": requests/s", \
	    PEER("16 connections, " load, "node", "req/s"), \
	    PEER("16 connections, " load, "rspamd-2", "req/s"), NULL, \
	    MARK_AT_LEAST, 10, false }, \
	{ "rspamd, 2 workers, " load ": CPU us a request", \
	    PEER("16 connections, " load, "node", "cpu us"), \
	    PEER("16 connections, " load, "rspamd-2", "cpu us"), NULL, \
	    MARK_TIMES_LESS, 10, false }

const struct mark marks[] = {
	{ "decision, miss: ns", DECIDE("decision", "miss", "node"), NONE,
	    NULL, MARK_AT_MOST, 300, false },
	{ "decision, miss: ns, to naive LevelDB",
	    DECIDE("decision", "miss", "node"),
	    DECIDE("decision", "miss", "naive LevelDB"), NULL, MARK_TIMES_LESS,
	    15, false },
	{ "decision, hit: ns, to one LevelDB Get",
	    DECIDE("decision", "hit", "node"),
	    DECIDE("decision", "hit", "one LevelDB Get"), NULL, MARK_AT_MOST,
	    1.35, false },
	{ "decision, hit when hot: ns", DECIDE("decision", "hot", "node"),
	    NONE, NULL, MARK_AT_MOST, 1000, false },
	{ "decision, miss: ns, two threads to one",
	    DECIDE("decision, two threads", "miss", "node"),
	    DECIDE("decision", "miss", "node"), NULL, MARK_AT_MOST, 1.1,
	    false },
	{ "decision, miss: ns, the set to a tenth of it",
	    DECIDE("decision", "miss", "node"),
	    DECIDE("decision, a tenth of the set", "miss", "node"), NULL,
	    MARK_AT_MOST, 1.3, false },
	{ "decision, miss: ns, all policies to 100",
	    DECIDE("decision", "miss", "node"),
	    DECIDE("decision, 100 policies", "miss", "node"), NULL,
	    MARK_AT_MOST, 1.5, false },
	{ "filter: bytes a record", { "decision", "sizes", "",
	    "filter bytes a record" }, NONE, NULL, MARK_AT_MOST, 2, false },
	{ "disk: bytes a record", { NULL, "set", "",
	    "disk bytes a record" }, NONE, NULL, MARK_AT_MOST, 70, false },
	{ "private memory: MB", { NULL, "start to first right answer",
	    "filter=kept", "private memory MB" }, NONE, NULL, MARK_AT_MOST,
	    64, false },
	{ "start to first right answer: ms", { NULL,
	    "start to first right answer", "filter=kept", "ms" }, NONE, NULL,
	    MARK_AT_MOST, 100, false },
	{ "start, filter made anew: ms", { NULL,
	    "start to first right answer", "filter=made anew", "ms" }, NONE,
	    NULL, MARK_AT_MOST, 3000, false },
	{ "whole set published and loaded: s", { NULL, "set", "",
	    "publish and build s" }, NONE, NULL, MARK_AT_MOST, 15, false },
	FRONT_MARKS("unix 16, no hit", "null", 0.85, 1.2, 1.25),
	FRONT_MARKS("unix 128, no hit", "null", 0.85, 1.2, 1.25),
	FRONT_MARKS("tcp 16, no hit", "null", 0.92, 1.2, 1.25),
	FRONT_MARKS("tcp 128, no hit", "null", 0.92, 1.2, 1.25),
	FRONT_MARKS("unix 16, 10 % hits", "durable-null", 0.75, 1.35, 1.5),
	FRONT_MARKS("unix 128, 10 % hits", "durable-null", 0.75, 1.35, 1.5),
	FRONT_MARKS("unix 16, all hits", "durable-null", 0.75, 1.35, 1.5),
	FRONT_MARKS("unix 128, all hits", "durable-null", 0.75, 1.35, 1.5),
	STALL_MARKS("delta of 1"),
	STALL_MARKS("delta of 1,000"),
	STALL_MARKS("snapshot"),
	STALL_MARKS("scrub"),
	POSTFIX_MARKS("one recipient", ONE_RCPT),
	POSTFIX_MARKS("ten recipients", "16 connections, 10 recipients"),
	{ "milter through Postfix, message: CPU us, to libmilter",
	    SMTP("16 connections, messages of 2000 bytes, 1 recipients",
	    "milter", "cpu us of backend"),
	    SMTP("16 connections, messages of 2000 bytes, 1 recipients",
	    "libmilter", "cpu us of backend"), "x cpu", MARK_AT_MOST, 0.5,
	    false },
	{ "milter through Postfix, recipient: CPU us, to libmilter",
	    SMTP(ONE_RCPT, "milter", "cpu us of backend"),
	    SMTP(ONE_RCPT, "libmilter",
	    "cpu us of backend"), "x cpu", MARK_AT_MOST, 0.5, false },
	{ "milter alone, message: CPU us, to libmilter",
	    MILTER("16 connections of 10 messages, 1 recipients, 0 % hits",
	    "node"),
	    MILTER("16 connections of 10 messages, 1 recipients, 0 % hits",
	    "libmilter"), "x cpu", MARK_AT_MOST, 0.5, false },
	{ "milter alone, recipient given up: CPU us, to libmilter",
	    MILTER("16 connections of 10 messages, 1 recipients, 0 % hits, "
	    "given up", "node"),
	    MILTER("16 connections of 10 messages, 1 recipients, 0 % hits, "
	    "given up", "libmilter"), "x cpu", MARK_AT_MOST, 0.5, false },
	PEER_MARKS("0 % hits"),
	PEER_MARKS("10 % hits"),
	PEER_MARKS("100 % hits"),
	{ "one record to all nodes: p99 ms, to bare", { NULL,
	    "push of one record to verified", FLEET, "p99 ms" },
	    { NULL, "push of one record to verified", "server=bare ROUTER",
	    "p99 ms" }, "x p99", MARK_AT_MOST, 1.5, false },
	{ "join storm: s, to bare", { NULL, "join storm", FLEET,
	    "all verified s" }, { NULL, "join storm", "server=bare ROUTER",
	    "all verified s" }, "x", MARK_AT_MOST, 1.15, false },
	{ "join with the whole set: CPU s of both, to bare", { NULL,
	    JOIN, "who=node", "cpu s" }, { NULL, JOIN, "who=bare*",
	    "cpu s" }, "x cpu of both", MARK_AT_MOST, 1.3, false },
};
const size_t marks_n = sizeof(marks) / sizeof(marks[0]);
