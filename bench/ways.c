/*
 * ways.c - what a decision costs, way by way.
 *
 * A batch is small enough for its envelopes to stay in the cache, as those of
 * a request do that was just parsed.  The middle batch counts, so that what
 * else runs on the machine does not.
 */
#include "bench/ways.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/set_make.h"
#include "bench/stat.h"
#include "node/sets.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

/* Written before it is read; see proto/policy/tables_impl.h. */
#define UNSET __attribute__((uninitialized))
#define BATCH 64
#define BATCHES_MAX 16384

const char *const mix_names[] = { "miss", "known", "hit", "mixed", "hot",
    NULL };

struct case_ {
	char sender[SET_ADDRESS_MAX], rcpt[SET_ADDRESS_MAX];
	bool hit;
	struct envelope env;
};

struct worker {
	struct places *p;
	uint64_t next;
	struct want want;
	struct facts facts;
	struct ruleset_reader reader;	/* of WAY_NODE alone */
	struct buf scratch;
	struct metrics metrics;
	struct decider *decider;
	uint64_t probed;		/* so that probes are not left out */
	struct case_ c[BATCH];
	double ns[BATCHES_MAX];
};

const char *
way_name(enum way w)
{
	static const char *const name[] = { "node", "naive LevelDB",
	    "exact hash in memory", "node, parsed and with event",
	    "filter probes alone", "one LevelDB Get" };

	return name[w];
}

/* A copy of the records for naive reads, made of links. */
static int
open_naive(struct places *p, struct diag *why)
{
	char live[1100], naive[1100];
	int rc;

	snprintf(live, sizeof(live), "%s/live", ruleset_dir(p->ruleset));
	snprintf(naive, sizeof(naive), "%s/naive", ruleset_dir(p->ruleset));
	ruleset_unref(&p->ruleset);
	file_remove_tree(naive, NULL);
	if (rename(live, naive) < 0)
		return diag_set(why, ERR_IO, "cannot rename %s", live);
	rc = db_open(&p->db, naive, DB_PARANOID | DB_LARGE, why);
	return rc;
}

static int
load(struct places *p)
{
	static const uint8_t secret[FILTER_SECRET_LEN] = "standard";
	uint64_t bytes = 0;
	struct bytes key, val;
	struct set_iter it;

	set_iter_init(&it, &p->set);
	while (set_next(&it, &key, &val))
		bytes += 4 + key.n + val.n;
	set_iter_fini(&it);
	p->filter = filter_new(set_count(&p->set) * 5 / 4, secret);
	p->exact = exact_new(set_count(&p->set), bytes);
	set_iter_init(&it, &p->set);
	while (set_next(&it, &key, &val)) {
		filter_add(p->filter, filter_hash(p->filter, key.p, key.n));
		exact_put(p->exact, key, val);
	}
	set_iter_fini(&it);
	return 0;
}

int
places_open(struct places *p, const struct set *s, const char *dir,
    struct diag *why)
{
	int rc;

	memset(p, 0, sizeof(*p));
	p->set = *s;
	if ((rc = set_open(dir, &p->ruleset, why)) < 0 ||
	    (rc = open_naive(p, why)) < 0 ||
	    (rc = set_open(dir, &p->ruleset, why)) < 0)
		return rc;
	return load(p);
}

void
places_close(struct places *p)
{
	char naive[1100] = "";

	if (p->ruleset != NULL)
		snprintf(naive, sizeof(naive), "%s/naive",
		    ruleset_dir(p->ruleset));
	db_close(&p->db);
	ruleset_unref(&p->ruleset);
	filter_free(&p->filter);
	exact_free(&p->exact);
	if (naive[0] != '\0')
		file_remove_tree(naive, NULL);
}

struct worker *
worker_new(struct places *p, uint64_t first)
{
	static const struct decide_conf conf;
	struct worker *w = xcalloc(1, sizeof(*w));

	w->p = p;
	w->next = first;
	facts_init(&w->facts);
	ruleset_reader_init(&w->reader);
	buf_init(&w->scratch, 4 * RECORD_VALUE_MAX);
	w->decider = decide_new(&conf, &w->metrics);
	return w;
}

void
worker_free(struct worker **wp)
{
	struct worker *w = *wp;

	if (w == NULL)
		return;
	facts_fini(&w->facts);
	ruleset_reader_fini(&w->reader);
	buf_fini(&w->scratch);
	decide_free(&w->decider);
	free(w);
	*wp = NULL;
}

static void
make_case(struct worker *w, struct case_ *c, enum mix mix)
{
	uint64_t n = w->next++;
	bool known = mix == MIX_KNOWN || (mix == MIX_MIXED && n % 2 == 0);

	if (mix == MIX_HOT)
		n %= HOT_PAIRS;
	c->hit = mix == MIX_HIT || mix == MIX_HOT ||
	    (mix == MIX_MIXED && n % 10 == 3);
	set_sender(&w->p->set, n, c->hit, c->sender);
	set_recipient(&w->p->set, n, known, c->rcpt);
	memset(&c->env, 0, sizeof(c->env));
	addr_parse(&c->env.sender, c->sender, strlen(c->sender),
	    ADDR_UNQUOTED, NULL);
	addr_parse(&c->env.rcpt, c->rcpt, strlen(c->rcpt), ADDR_UNQUOTED,
	    NULL);
	c->env.has_ip = ip_parse("198.51.100.7", &c->env.ip) == 0;
}

static void
fetch(struct worker *w, enum way way, size_t from)
{
	uint8_t key[RECORD_KEY_MAX] UNSET;
	struct bytes v;
	size_t i, len;
	int rc;

	for (i = from; i < w->want.n; i++) {
		len = want_key_write(&w->want.key[i], key);
		if (way == WAY_EXACT)
			rc = exact_get(w->p->exact, key, len, &v);
		else {
			buf_reset(&w->scratch);
			rc = db_get(w->p->db, NULL, key, len, false,
			    &w->scratch, NULL);
			/* behind the value stands its hash */
			v = bytes_of(w->scratch.data, rc == 0 ?
			    w->scratch.len - RULESET_HASH_LEN : 0);
		}
		facts_set(&w->facts, i, rc == 0 ? FACT_FOUND : FACT_ABSENT,
		    v.p, rc == 0 ? v.n : 0);
	}
}

static bool
decide_by(struct worker *w, enum way way, struct case_ *c)
{
	const struct tables *t = ruleset_tables(w->p->ruleset);
	struct verdict v UNSET;
	size_t first;

	facts_reset(&w->facts);
	w->want.n = 0;
	want_first(t, &c->env, &w->want, way == WAY_NODE ? ruleset_ahead :
	    NULL, w->p->ruleset);
	if (way == WAY_NODE)
		ruleset_fetch(w->p->ruleset, &w->want, 0, &w->facts,
		    &w->reader);
	else
		fetch(w, way, 0);
	first = w->want.n;
	want_second(t, &c->env, &w->facts, &w->want);
	if (way == WAY_NODE)
		ruleset_fetch(w->p->ruleset, &w->want, first, &w->facts,
		    &w->reader);
	else
		fetch(w, way, first);
	judge(t, &c->env, &w->want, &w->facts, clock_wall_tick_us(), STAGE_ONLY,
	    &v, NULL);
	return v.kind == VERDICT_REJECT;
}

static struct value
value(const char *text)
{
	return (struct value){ text, strlen(text) };
}

static bool
decide_whole(struct worker *w, const struct case_ *c)
{
	struct question q = { .peer = "local", .form = ADDR_UNQUOTED,
	    .sender = value(c->sender), .recipient = value(c->rcpt),
	    .client_address = value("198.51.100.7"),
	    .client_name = value("mail.client.example"),
	    .name_confirmed = true, .helo_name = value("client.example"),
	    .instance = value("8e.6b0476e9.237e2.0"),
	    .queue_id = value("") };
	struct answer a;

	decide(w->decider, w->p->ruleset, &q, STAGE_ONLY, &a);
	return a.kind == VERDICT_REJECT;
}

/* The keys of each envelope, written and hashed once more. */
static void
probe(struct worker *w, const uint8_t (*key)[128], const size_t *len,
    size_t n)
{
	struct record_hash hash[16];
	size_t i;

	for (i = 0; i < n; i++) {
		hash[i] = filter_hash(w->p->filter, key[i], len[i]);
		filter_prefetch(w->p->filter, hash[i].near);
	}
	for (i = 0; i < n; i++)
		w->probed += filter_has(w->p->filter, hash[i]);
}

static double
batch_probes(struct worker *w)
{
	uint8_t key[16][128];
	size_t len[16], i, k, n;
	uint64_t ns = 0, begin;

	for (i = 0; i < BATCH; i++) {
		decide_by(w, WAY_EXACT, &w->c[i]);
		n = w->want.n < 16 ? w->want.n : 16;
		for (k = 0; k < n; k++)
			len[k] = want_key_write(&w->want.key[k], key[k]);
		begin = stat_now_ns();
		probe(w, (const uint8_t (*)[128])key, len, n);
		ns += stat_now_ns() - begin;
	}
	return (double)ns / BATCH;
}

static double
batch_get(struct worker *w)
{
	char key[BATCH][SET_ADDRESS_MAX];
	uint64_t begin;
	size_t i;

	for (i = 0; i < BATCH; i++)
		snprintf(key[i], sizeof(key[i]), "E%s",
		    strchr(w->c[i].sender, '@') + 1);
	begin = stat_now_ns();
	for (i = 0; i < BATCH; i++) {
		buf_reset(&w->scratch);
		w->probed += db_get(w->p->db, NULL, key[i], strlen(key[i]),
		    false, &w->scratch, NULL) == 0;
	}
	return (double)(stat_now_ns() - begin) / BATCH;
}

static double
batch_decide(struct worker *w, enum way way)
{
	bool refused[BATCH];
	uint64_t begin = stat_now_ns(), end;
	size_t i;

	for (i = 0; i < BATCH; i++)
		refused[i] = way == WAY_WHOLE ? decide_whole(w, &w->c[i]) :
		    decide_by(w, way, &w->c[i]);
	end = stat_now_ns();
	for (i = 0; i < BATCH; i++) {
		if (refused[i] == w->c[i].hit)
			continue;
		fprintf(stderr, "postern-bench: by %s, %s to %s is %srefused"
		    "\n", way_name(way), w->c[i].sender, w->c[i].rcpt,
		    refused[i] ? "" : "not ");
		_exit(1);
	}
	return (double)(end - begin) / BATCH;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double
worker_run(struct worker *w, enum way way, enum mix mix, size_t n)
{
	size_t batches = n / BATCH, b, i;

	if (batches == 0)
		batches = 1;
	if (batches > BATCHES_MAX)
		batches = BATCHES_MAX;
	for (b = 0; b < batches; b++) {
		for (i = 0; i < BATCH; i++)
			make_case(w, &w->c[i], mix);
		w->ns[b] = way == WAY_PROBES ? batch_probes(w) :
		    way == WAY_GET ? batch_get(w) : batch_decide(w, way);
	}
	qsort(w->ns, batches, sizeof(w->ns[0]), by_value);
	return w->ns[batches / 2];
}
