/*
 * filter_make.c - a range of keys for each thread.
 */
#include "node/filter_make.h"

#include <string.h>
#include <unistd.h>

#include "proto/base/thread.h"
#include "proto/policy/record.h"

#define THREADS_MAX 4
#define RECORDS_A_THREAD 50000

struct part {
	struct filter *filter;
	struct db *db;
	const uint8_t *from, *to;	/* DB_SPLIT_LEN each; NULL: the end */
	pthread_t thread;
	bool started;
	int rc;
	struct diag why;
};

static bool
is_before(struct bytes key, const uint8_t *to)
{
	size_t n = key.n < DB_SPLIT_LEN ? key.n : DB_SPLIT_LEN;
	int c = to == NULL ? -1 : memcmp(key.p, to, n);

	return c < 0 || (c == 0 && key.n < DB_SPLIT_LEN);
}

static void *
scan(void *arg)
{
	struct part *p = arg;
	struct db_iter *it = db_iter_new(p->db, NULL);
	struct filter_adder adder = { .n = 0 };
	struct bytes key;

	if (p->from != NULL)
		db_iter_seek(it, p->from, DB_SPLIT_LEN);
	else
		db_iter_first(it);
	for (; db_iter_valid(it); db_iter_next(it)) {
		key = db_iter_key(it);
		if (!is_before(key, p->to))
			break;
		if (key.n > 0 && record_is_known(key.p[0]) &&
		    !record_is_small(key.p[0]))
			filter_adder_put(p->filter, &adder, key.p, key.n);
	}
	filter_adder_end(p->filter, &adder);
	p->rc = db_iter_error(it, &p->why);
	db_iter_free(&it);
	return NULL;
}

static size_t
threads_for(uint64_t records)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t n = cores < 1 ? 1 : (uint64_t)cores;

	if (n > THREADS_MAX)
		n = THREADS_MAX;
	if (n > records / RECORDS_A_THREAD)
		n = records / RECORDS_A_THREAD;
	return n < 1 ? 1 : (size_t)n;
}

/* The first part is the caller's. */
int
filter_make(struct filter *f, struct db *db, uint64_t records,
    struct diag *why)
{
	uint8_t keys[THREADS_MAX][DB_SPLIT_LEN];
	struct part part[THREADS_MAX];
	size_t n = threads_for(records), i;
	int rc = 0;

	memset(part, 0, sizeof(part));
	db_split(db, n, keys);
	for (i = 0; i < n; i++) {
		part[i].filter = f;
		part[i].db = db;
		part[i].from = i > 0 ? keys[i - 1] : NULL;
		part[i].to = i + 1 < n ? keys[i] : NULL;
		part[i].started = i > 0 && thread_start(&part[i].thread,
		    "filter", 0, scan, &part[i]) == 0;
	}
	for (i = 0; i < n; i++)
		if (!part[i].started)
			scan(&part[i]);
	for (i = 0; i < n; i++) {
		if (part[i].started)
			pthread_join(part[i].thread, NULL);
		if (part[i].rc < 0 && rc == 0) {
			rc = part[i].rc;
			if (why != NULL)
				*why = part[i].why;
		}
	}
	return rc;
}
