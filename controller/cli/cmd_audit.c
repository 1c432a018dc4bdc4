/*
 * cmd_audit.c - postern audit: who did what; and whether the log of it still
 * is what it was.
 *
 * The chain is followed here, from the lines themselves, and held against what
 * nodes remember of it: the controller's word is not taken for it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/online.h"
#include "controller/cli/output.h"
#include "proto/base/err.h"
#include "proto/wire/audit.h"
#include "proto/wire/keys.h"

#define COLUMNS(c) c, sizeof(c) / sizeof((c)[0])
#define LIMIT_DEFAULT 100
#define PAGE_MAX 1000

static const struct column list_columns[] = {
	{ "SEQUENCE", "sequence" }, { "TIME", "time" }, { "ACTOR", "actor" },
	{ "ROLE", "role" }, { "FROM", "peer" }, { "ACTION", "action" },
	{ "OBJECT", "object" }, { "BEFORE", "before" }, { "AFTER", "after" },
	{ "RESULT", "result" }, { "MORE", "more" }, { "REASON", "reason" },
};

static const struct column verify_columns[] = {
	{ "whole", "whole" }, { "first", "first" },
	{ "last", "end.sequence" }, { "hash", "end.hash" },
	{ "adopted", "end.adopted" }, { "held against nodes", "nodes" },
};

/* --- list --- */

/* Pages until limit entries are there. */
static int
audit_list(struct flags *f)
{
	json_t *list = json_array(), *whole, *page = NULL;
	long long limit = LIMIT_DEFAULT;
	struct buf path;
	size_t head;
	int rc = flag_number(f, "limit", LIMIT_DEFAULT, &limit);

	buf_init(&path, 4096);
	buf_printf(&path, "/v1/audit?limit=%lld", limit < 1 || limit >
	    PAGE_MAX ? PAGE_MAX : limit);
	client_query(&path, f, "actor action since until");
	for (head = path.len; rc == CLI_OK && (limit == 0 ||
	    json_array_size(list) < (size_t)limit);) {
		const char *next;

		json_decref(page);
		page = NULL;
		rc = client_call(f, "GET", path.data, NULL, &page);
		json_array_extend(list, json_object_get(page, "entries"));
		next = text_of(page, "next");
		if (rc != CLI_OK || *next == '\0')
			break;
		path.len = head;
		buf_puts(&path, "&cursor=");
		client_escape(&path, next);
	}
	while (limit > 0 && json_array_size(list) > (size_t)limit)
		json_array_remove(list, json_array_size(list) - 1);
	whole = json_pack("{s:O}", "entries", list);
	if (rc == CLI_OK)
		output_list(f, whole, list, COLUMNS(list_columns));
	json_decref(whole);
	json_decref(page);
	json_decref(list);
	buf_fini(&path);
	return rc;
}

/* --- verify --- */

/* What somebody remembers of the log. */
struct memory {
	char who[100];
	struct audit_mark mark;
	bool has_adopted;	/* else that is not known */
	bool fits;
};

struct verifying {
	struct audit_mark at, end;
	bool began;
	uint64_t first;		/* sequence; 0: none */
	struct memory *memory;
	size_t n, cap;
	struct diag why;
};

static int
read_mark(const json_t *o, struct audit_mark *m)
{
	const char *hex = json_string_value(json_object_get(o, "hash"));

	memset(m, 0, sizeof(*m));
	m->seq = (uint64_t)json_integer_value(json_object_get(o,
	    "sequence"));
	m->adopted = (uint64_t)json_integer_value(json_object_get(o,
	    "adopted"));
	return hex == NULL ? ERR_CORRUPT : hex_parse(hex, m->hash,
	    AUDIT_HASH_LEN);
}

static struct memory *
add_memory(struct verifying *v, const char *who)
{
	struct memory *m;

	v->memory = xgrow(v->memory, &v->cap, v->n + 1, sizeof(*v->memory));
	m = &v->memory[v->n++];
	memset(m, 0, sizeof(*m));
	snprintf(m->who, sizeof(m->who), "%.99s", who);
	return m;
}

/* --expect 131:5f3c..., as an earlier verify printed it. */
static int
read_expected(const struct flags *f, struct verifying *v)
{
	const char *text = flag(f, "expect");
	struct memory *m;
	char *end;

	if (text == NULL)
		return CLI_OK;
	m = add_memory(v, "--expect");
	m->mark.seq = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && *end == ':' && hex_parse(end + 1,
	    m->mark.hash, AUDIT_HASH_LEN) == 0)
		return CLI_OK;
	return usage_error("--expect takes SEQUENCE:HASH, as verify prints "
	    "them");
}

static int
ask_nodes(const struct flags *f, struct verifying *v)
{
	json_t *answer, *n;
	size_t i;
	int rc = client_call(f, "GET", "/v1/nodes", NULL, &answer);

	json_array_foreach(json_object_get(answer, "nodes"), i, n) {
		const json_t *seen = json_object_get(n, "audit_seen");
		struct memory *m;

		if (seen == NULL)
			continue;
		m = add_memory(v, text_of(n, "id"));
		m->has_adopted = true;
		if (read_mark(seen, &m->mark) < 0 || m->mark.seq == 0)
			v->n--;
	}
	json_decref(answer);
	return rc;
}

static void
compare(struct verifying *v, const struct audit_mark *at)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (v->memory[i].mark.seq == at->seq &&
		    memcmp(v->memory[i].mark.hash, at->hash,
		    AUDIT_HASH_LEN) == 0)
			v->memory[i].fits = true;
}

static int
follow_page(struct verifying *v, const json_t *page)
{
	const json_t *e;
	size_t i;
	int rc = 0;

	if (!v->began) {
		if (read_mark(json_object_get(page, "base"), &v->at) < 0)
			return diag_set(&v->why, ERR_CORRUPT, "the answer "
			    "has no base");
		v->began = true;
		compare(v, &v->at);
	}
	if (read_mark(json_object_get(page, "end"), &v->end) < 0)
		return diag_set(&v->why, ERR_CORRUPT, "the answer has no end");
	json_array_foreach(json_object_get(page, "entries"), i, e) {
		const char *line = text_of(e, "line");
		uint8_t hash[AUDIT_HASH_LEN] = { 0 };

		hex_parse(text_of(e, "hash"), hash, sizeof(hash));
		rc = audit_follow(&v->at, bytes_of(line, strlen(line)), hash,
		    &v->why);
		if (rc < 0)
			return rc;
		if (v->first == 0)
			v->first = v->at.seq;
		compare(v, &v->at);
	}
	return 0;
}

/* All pages; what does not fit is in v->why. */
static int
follow_all(const struct flags *f, struct verifying *v, int *damage)
{
	bool more = true;
	char path[64];
	json_t *page;
	int rc = CLI_OK;

	for (*damage = 0; rc == CLI_OK && *damage == 0 && more;) {
		snprintf(path, sizeof(path), v->at.seq == 0 ?
		    "/v1/audit/chain" : "/v1/audit/chain?after=%" PRIu64,
		    v->at.seq);
		rc = client_call(f, "GET", path, NULL, &page);
		if (rc == CLI_OK) {
			*damage = follow_page(v, page);
			more = json_array_size(json_object_get(page,
			    "entries")) > 0;
		}
		json_decref(page);
	}
	if (rc == CLI_OK && *damage == 0 && !audit_mark_same(&v->at,
	    &v->end))
		*damage = diag_set(&v->why, ERR_CORRUPT, "it ends with entry "
		    "%" PRIu64 ", and should with entry %" PRIu64, v->at.seq,
		    v->end.seq);
	return rc;
}

/*
 * Does the log hold what was remembered?  What was seen before the log was
 * adopted need not be in it any more, and what was cut cannot be told.
 */
static int
check_memories(struct verifying *v)
{
	size_t i;

	for (i = 0; i < v->n; i++) {
		const struct memory *m = &v->memory[i];

		if (m->fits || (m->has_adopted &&
		    m->mark.adopted < v->end.adopted))
			continue;
		if (m->has_adopted && v->first > 0 &&
		    m->mark.seq < v->first - 1)
			continue;
		return diag_set(&v->why, ERR_CORRUPT, m->mark.seq >
		    v->end.seq ? "%s has seen entry %" PRIu64 ", and it ends "
		    "before that%s" : "%s has seen another entry %" PRIu64
		    "%s", m->who, m->mark.seq, m->has_adopted ? "; after a "
		    "restore, \"postern adopt\" goes on with it" : "");
	}
	return 0;
}

static void
print(const struct flags *f, const struct verifying *v)
{
	char hex[AUDIT_HASH_LEN * 2 + 1];
	json_t *o;
	size_t i, nodes = 0;

	for (i = 0; i < v->n; i++)
		nodes += v->memory[i].has_adopted;
	hex_format(v->end.hash, AUDIT_HASH_LEN, hex);
	o = json_pack("{s:b, s:I, s:{s:I, s:s, s:I}, s:I}", "whole", 1,
	    "first", (json_int_t)v->first, "end", "sequence",
	    (json_int_t)v->end.seq, "hash", hex, "adopted",
	    (json_int_t)v->end.adopted, "nodes", (json_int_t)nodes);
	output_object(f, o, COLUMNS(verify_columns));
	json_decref(o);
}

static int
audit_verify(struct flags *f)
{
	struct verifying v = { .began = false };
	int damage = 0, rc = read_expected(f, &v);

	/* nodes first: what they have seen is in the log by then */
	if (rc == CLI_OK)
		rc = ask_nodes(f, &v);
	if (rc == CLI_OK)
		rc = follow_all(f, &v, &damage);
	if (rc == CLI_OK && damage == 0)
		damage = check_memories(&v);
	if (rc == CLI_OK && damage < 0)
		rc = fail(CLI_DIFFERS, "the audit log is not what it was: %s",
		    v.why.text);
	else if (rc == CLI_OK)
		print(f, &v);
	free(v.memory);
	return rc;
}

static const struct verb verbs[] = {
	{ "ls", "actor= action= since= until= limit=", 0, 0, audit_list,
	    "[--actor A] [--action A] [--since T] [--until T] [--limit 100]\n"
	    "    the newest first; \"--action group\" is all of group.add, "
	    "group.rm and so on;\n    T is a time, or 24h for as long ago; "
	    "--limit 0: all of them" },
	{ "verify", "expect=", 0, 0, audit_verify, "[--expect SEQUENCE:HASH]\n"
	    "    follow the chain, and hold it against what nodes have seen "
	    "of it, and against\n    an end that was written down; 1 if "
	    "anything does not fit" },
};

/* "ls" may be left out. */
int
cmd_audit(int argc, char **argv)
{
	char *with_ls[FLAGS_MAX + 2], ls[] = "ls";
	int i;

	if (argc > FLAGS_MAX || (argc > 1 && (argv[1][0] != '-' ||
	    strcmp(argv[1], "--help") == 0)))
		return run_verb(COLUMNS(verbs), argc, argv);
	with_ls[0] = argv[0];
	with_ls[1] = ls;
	for (i = 1; i <= argc; i++)
		with_ls[i + 1] = argv[i];
	return run_verb(COLUMNS(verbs), argc + 1, with_ls);
}
