/*
 * random_shrink.c - makes a failing case small enough to read: takes one
 * thing away at a time and keeps what still fails.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"
#include "tests/lib/random_case.h"

struct shrinking {
	struct oracle_model *m, *try;
	struct oracle_message *msg, *try_msg;
	bool (*fails)(const struct oracle_model *m,
	    const struct oracle_message *msg, void *arg);
	void *arg;
	bool better;
};

/* Keep what is tried when it still fails, else forget it. */
static bool
keep(struct shrinking *s)
{
	bool worse = s->fails(s->try, s->try_msg, s->arg);

	if (worse) {
		s->better |= memcmp(s->m, s->try, sizeof(*s->m)) != 0 ||
		    memcmp(s->msg, s->try_msg, sizeof(*s->msg)) != 0;
		*s->m = *s->try;
		*s->msg = *s->try_msg;
	}
	*s->try = *s->m;
	*s->try_msg = *s->msg;
	return worse;
}

/* Take away elements of an array of n. */
static void
rows(struct shrinking *s, void *array, size_t *n, size_t size)
{
	size_t i;

	for (i = *n; i-- > 0;) {
		char *at = (char *)array + i * size;

		memmove(at, at + size, (*n - i - 1) * size);
		(*n)--;
		memset((char *)array + *n * size, 0, size);
		keep(s);
	}
}

static void
groups(struct shrinking *s)
{
	size_t i;

	for (i = 0; i < s->try->groups_n; i++) {
		struct oracle_group *g = &s->try->group[i];

		rows(s, g->entry, &g->entries_n, sizeof(g->entry[0]));
		rows(s, g->child, &g->children_n, sizeof(g->child[0]));
	}
	/* the last may go when nothing names it: compile says so */
	if (s->try->groups_n > 0) {
		s->try->groups_n--;
		keep(s);
	}
}

static void
policies(struct shrinking *s)
{
	size_t i;

	for (i = 0; i < s->try->policies_n; i++) {
		struct oracle_policy *p = &s->try->policy[i];

#define WITHOUT(field) do { \
		memset(&p->field, 0, sizeof(p->field)); \
		keep(s); \
	} while (0)
		WITHOUT(override);
		WITHOUT(bidirectional);
		WITHOUT(monitor);
		WITHOUT(has_from);
		WITHOUT(has_until);
		WITHOUT(ips_n);
		WITHOUT(hosts_n);
		WITHOUT(to);
		WITHOUT(from);
#undef WITHOUT
		p->enabled = true;
		keep(s);
	}
}

static void
message(struct shrinking *s)
{
	struct oracle_message *m = s->try_msg;

	rows(s, m->header, &m->headers_n, sizeof(m->header[0]));
#define WITHOUT(field) do { \
	memset(&m->field, 0, sizeof(m->field)); \
	keep(s); \
} while (0)
	WITHOUT(host);
	WITHOUT(authenticated);
	WITHOUT(greylist_new);
	WITHOUT(header_name);
	WITHOUT(sender.ambiguous);
	WITHOUT(rcpt.ambiguous);
	WITHOUT(has_ip);
	if (m->headers_n == 0)
		WITHOUT(has_header);
#undef WITHOUT
}

void
random_shrink(struct oracle_model *m, struct oracle_message *msg,
    bool (*fails)(const struct oracle_model *m,
    const struct oracle_message *msg, void *arg), void *arg)
{
	struct shrinking s = { .m = m, .msg = msg, .fails = fails,
	    .arg = arg };
	struct oracle_model *t = xmalloc(sizeof(*t));

	s.try = t;
	s.try_msg = xmalloc(sizeof(*s.try_msg));
	*s.try = *m;
	*s.try_msg = *msg;
	do {
		s.better = false;
		rows(&s, t->policy, &t->policies_n, sizeof(t->policy[0]));
		rows(&s, t->sender, &t->senders_n, sizeof(t->sender[0]));
		rows(&s, t->person, &t->people_n, sizeof(t->person[0]));
		rows(&s, t->trusted, &t->trusted_n, sizeof(t->trusted[0]));
		rows(&s, t->authorized, &t->authorized_n,
		    sizeof(t->authorized[0]));
		rows(&s, t->domain, &t->domains_n, sizeof(t->domain[0]));
		rows(&s, t->free_mail, &t->free_mail_n,
		    sizeof(t->free_mail[0]));
		rows(&s, t->protect, &t->protect_n, sizeof(t->protect[0]));
		groups(&s);
		policies(&s);
		message(&s);
	} while (s.better);
	free(s.try);
	free(s.try_msg);
}
