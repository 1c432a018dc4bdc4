/*
 * cmd_delta.c - "delta": what a change of each class of records costs a node,
 * from the signed frame to the new view, and what letting go of the old one
 * costs.
 *
 * The set is the standard one, but its small classes are whole at any scale:
 * 20,000 policies, 20,000 internal domains, 200 groups.  Each change puts
 * records that are not there, the next takes them away.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/set_make.h"
#include "bench/stat.h"
#include "node/ruleset_delta.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/policy/record.h"
#include "proto/wire/delta.h"

#define POLICIES 20000
#define MANY 1000

struct delta_bench { struct cmd_common common; int64_t rounds; };

static const struct conf_option options[] = {
	CMD_COMMON,
	{ .name = "rounds", .type = CONF_INT, .min = 1, .max = SAMPLES_MAX,
	    .offset = offsetof(struct delta_bench, rounds), .def = "10",
	    .help = "of all changes" },
	{ .name = NULL }
};

static const struct conf_program program = {
	.name = "postern-bench delta", .options = options,
	.summary = "Measures what a delta of each class of records costs a "
	    "node.",
};

/* What one kind of change puts, and takes away again. */
struct kind {
	const char *name;
	size_t n;
	void (*make)(struct kind *k, size_t i, struct buf *key,
	    struct buf *val);
	struct buf policy;		/* the value of one that is there */
	struct samples apply, let_go;	/* ms of this thread's CPU */
};

struct delta_run {
	struct ruleset *r;
	struct digest digest;
	struct sign_key *publisher;
	struct buf cert_frame;
	struct publisher_cert cert;
};

static void
make_user(struct kind *k, size_t i, struct buf *key, struct buf *val)
{
	char entry[64];

	(void)k;
	snprintf(entry, sizeof(entry), "%06zu.new.example", i);
	record_key_user(key, "0.bench@d00000.acme.example", entry);
	buf_put_u8(val, USER_BLOCK);
	buf_put_u32(val, 0);
}

static void
make_entry(struct kind *k, size_t i, struct buf *key, struct buf *val)
{
	(void)k;
	(void)i;
	record_key_text(key, RECORD_ENTRY, "bench.new.example");
	buf_put_u64(val, model_gid("list-001"));
}

static void
make_policy(struct kind *k, size_t i, struct buf *key, struct buf *val)
{
	(void)i;
	record_key_text(key, RECORD_POLICY, "zz-bench");
	buf_put(val, k->policy.data, k->policy.len);
}

static void
make_domain(struct kind *k, size_t i, struct buf *key, struct buf *val)
{
	(void)k;
	(void)i;
	record_key_text(key, RECORD_INTERNAL, "bench.example");
	buf_put_u8(val, VALIDATE_KNOWN);
}

static void
make_group(struct kind *k, size_t i, struct buf *key, struct buf *val)
{
	uint64_t parent = model_gid("list-001");

	(void)k;
	(void)i;
	record_key_gid(key, model_gid("bench"));
	record_group_encode(val, "bench", &parent, 1);
}

static void
make_setting(struct kind *k, size_t i, struct buf *key, struct buf *val)
{
	(void)k;
	(void)i;
	record_key_text(key, RECORD_SETTING, "reply_help");
	buf_puts(val, "https://help.example/");
}

static struct kind kinds[] = {
	{ .name = "user's entry", .n = 1, .make = make_user },
	{ .name = "1,000 users' entries", .n = MANY, .make = make_user },
	{ .name = "group entry", .n = 1, .make = make_entry },
	{ .name = "policy", .n = 1, .make = make_policy },
	{ .name = "internal domain", .n = 1, .make = make_domain },
	{ .name = "group edge", .n = 1, .make = make_group },
	{ .name = "setting", .n = 1, .make = make_setting },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The digest of all records, and a policy to copy. */
static void
read_set(struct delta_run *run, const struct set *s)
{
	struct bytes key, val;
	struct set_iter it;
	size_t i;

	digest_init(&run->digest);
	set_iter_init(&it, s);
	while (set_next(&it, &key, &val)) {
		digest_add(&run->digest, key.p, key.n, val.p, val.n);
		if (key.p[0] != RECORD_POLICY)
			continue;
		for (i = 0; i < KINDS; i++) {
			buf_reset(&kinds[i].policy);
			buf_put(&kinds[i].policy, val.p, val.n);
		}
	}
	set_iter_fini(&it);
}

/* Sign what k puts (or takes away) as the next version. */
static int
sign(struct delta_run *run, struct kind *k, bool put, struct buf *frame)
{
	const struct head *h = ruleset_head(run->r);
	struct delta d;
	struct buf key, val;
	size_t i;
	int rc = 0;

	delta_init(&d);
	buf_init(&key, 0);
	buf_init(&val, 0);
	for (i = 0; i < k->n && rc == 0; i++) {
		buf_reset(&key);
		buf_reset(&val);
		k->make(k, i, &key, &val);
		rc = put ? delta_put(&d, key.data, key.len, val.data,
		    val.len) : delta_del(&d, key.data, key.len);
		(put ? digest_add : digest_sub)(&run->digest, key.data,
		    key.len, val.data, val.len);
	}
	d.from_version = h->version;
	memcpy(d.from_digest, h->digest, DIGEST_LEN);
	d.to_version = h->version + 1;
	digest_final(&run->digest, d.to_digest);
	d.to_count = run->digest.count;
	d.record_format = RECORD_FORMAT;
	d.engine = DECIDE_ENGINE;
	d.issued_us = clock_wall_us();
	buf_reset(frame);
	if (rc == 0)
		rc = delta_sign(&d, run->publisher, frame);
	buf_fini(&key);
	buf_fini(&val);
	delta_fini(&d);
	return rc;
}

static int
apply(struct delta_run *run, struct kind *k, bool put, struct diag *why)
{
	struct ruleset_signed in = { .now_us = clock_wall_us(),
	    .publisher = &run->cert, .cert = bytes_of(run->cert_frame.data,
	    run->cert_frame.len) };
	struct ruleset_refusal refusal;
	struct ruleset *next;
	struct buf frame;
	double begin, end;
	int rc;

	buf_init(&frame, 0);
	rc = sign(run, k, put, &frame);
	in.frame = bytes_of(frame.data, frame.len);
	begin = stat_cpu(-1);
	if (rc == 0)
		rc = ruleset_apply(run->r, &in, &next, &refusal, why);
	end = stat_cpu(-1);
	if (rc == 0) {
		samples_add(&k->apply, (end - begin) * 1000);
		ruleset_unref(&run->r);
		samples_add(&k->let_go, (stat_cpu(-1) - end) * 1000);
		run->r = next;
	}
	buf_fini(&frame);
	return rc;
}

static int
run_all(struct delta_run *run, int64_t rounds, struct report *r,
    struct diag *why)
{
	int64_t i;
	size_t k;
	int rc = 0;

	for (i = 0; i < rounds; i++) {
		for (k = 0; k < KINDS; k++) {
			if ((rc = apply(run, &kinds[k], true, why)) < 0 ||
			    (rc = apply(run, &kinds[k], false, why)) < 0)
				return rc;
		}
	}
	for (k = 0; k < KINDS; k++)
		report_row(r, "delta", json_pack("{s:s, s:o, s:o}",
		    "change of", kinds[k].name, "apply, CPU ms",
		    report_spread(&kinds[k].apply), "let go, CPU ms",
		    report_spread(&kinds[k].let_go)));
	return 0;
}

static int
run(void *arg, struct cmd_work *w)
{
	const struct delta_bench *c = arg;
	struct diag *why = &w->why;
	char *dir = w->dir;
	struct delta_run run = { .r = NULL };
	struct set set;
	size_t k;
	int rc;

	if ((rc = cmd_set(&c->common, &set)) < 0)
		return rc;
	set.domains = MODEL_DOMAINS_MAX - 1;
	if (c->common.policies == 0)
		set.policies = POLICIES;
	rc = cmd_folder(&c->common, &set, dir, why);
	if (rc == 0)
		rc = set_open(dir, &run.r, why);
	if (rc == 0)
		rc = set_publisher(dir, &run.publisher, &run.cert_frame,
		    &run.cert, why);
	if (rc == 0) {
		read_set(&run, &set);
		rc = run_all(&run, c->rounds, w->report, why);
	}
	ruleset_unref(&run.r);
	sign_key_free(&run.publisher);
	buf_fini(&run.cert_frame);
	for (k = 0; k < KINDS; k++)
		buf_fini(&kinds[k].policy);
	return rc;
}

int
cmd_delta(int argc, char **argv)
{
	struct delta_bench c = { .rounds = 0 };

	return cmd_run(&program, &c, argc, argv, run);
}
