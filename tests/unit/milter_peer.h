/*
 * milter_peer.h - a mail server's side of a milter session over a set of its
 * own: says commands, reads answers as text.
 */
#ifndef TESTS_MILTER_PEER_H
#define TESTS_MILTER_PEER_H

#include "tests/unit/node_fixture.h"

#include "node/milter_session.h"

#define PEER_EVENTS 40

struct peer {
	struct fixture *x;
	struct ruleset *r;		/* in force; NULL: none */
	struct metrics m;
	struct host host;
	struct decider *decider;
	struct milter_session *s;
	struct event event[PEER_EVENTS];
	size_t events_n;
	uint64_t ticket;		/* that the last answer waits for */
	bool late;
	char got[65536];		/* the last answers, see peer_say() */
	struct diag why;
};

static inline struct ruleset *
peer_view(void *arg)
{
	struct peer *p = arg;

	return p->r;
}

static inline uint64_t
peer_record(void *arg, const struct event *e)
{
	struct peer *p = arg;

	if (p->events_n < PEER_EVENTS)
		p->event[p->events_n] = *e;
	return ++p->events_n;
}

/* Write the frames in b as "c|y550 5.7.1 text|-<al@x>|". */
static inline void
peer_read(struct peer *p, const struct buf *b)
{
	size_t at = 0, n = 0;

	while (at + 5 <= b->len) {
		const uint8_t *f = (const uint8_t *)b->data + at;
		size_t len = (size_t)f[0] << 24 | (size_t)f[1] << 16 |
		    (size_t)f[2] << 8 | f[3], i;

		assert_true(len > 0 && at + 4 + len <= b->len);
		for (i = 0; i < len && n < sizeof(p->got) - 2; i++) {
			char c = (char)f[4 + i];

			/* NULs between and behind texts */
			if (c == '\0' && i == len - 1)
				break;
			p->got[n++] = c == '\0' ? '=' : c;
		}
		p->got[n++] = '|';
		at += 4 + len;
	}
	p->got[n] = '\0';
	assert_int_equal(at, b->len);
}

static inline int
peer_frame(struct peer *p, const struct milter_frame *f)
{
	struct buf out;
	int rc;

	buf_init(&out, 0);
	rc = milter_session_take(p->s, f, p->late, &out, &p->ticket, &p->why);
	peer_read(p, &out);
	buf_fini(&out);
	return rc;
}

/* Say one command; its answers stand in p->got. */
static inline int
peer_bytes(struct peer *p, char command, const char *data, size_t len)
{
	/* of its own length: a read past it is then seen by ASan */
	char *copy = xmalloc(len == 0 ? 1 : len);
	struct milter_frame f = { (uint8_t)command, copy, len, false };
	int rc;

	memcpy(copy, data, len);
	rc = peer_frame(p, &f);
	free(copy);
	return rc;
}

/* A command of one text. */
static inline void
peer_say(struct peer *p, char command, const char *text)
{
	if (peer_bytes(p, command, text, text[0] == '\0' ? 0 :
	    strlen(text) + 1) < 0)
		fail_msg("%c %s: %s", command, text, p->why.text);
}

static inline void
peer_header(struct peer *p, const char *name, const char *value)
{
	struct buf b;

	buf_init(&b, 0);
	buf_put(&b, name, strlen(name) + 1);
	buf_put(&b, value, strlen(value) + 1);
	assert_int_equal(peer_bytes(p, 'L', b.data, b.len), 0);
	buf_fini(&b);
}

#define PEER_OFFER "\0\0\0\6\0\0\1\377\0\37\377\377"
#define PEER_CLIENT "mx.test\0" "4\0\31" "192.0.2.1"

/* A session from options to HELO, of a mail server that can everything. */
static inline void
peer_begin(struct peer *p)
{
	milter_session_free(&p->s);
	p->s = milter_session_new(&p->host, "local");
	p->events_n = 0;
	assert_int_equal(peer_bytes(p, 'O', PEER_OFFER, 12), 0);
	assert_int_equal(peer_bytes(p, 'C', PEER_CLIENT,
	    sizeof(PEER_CLIENT)), 0);
	peer_say(p, 'H', "client.test");
}

/* Build the fixture's records as version and put it in force. */
static inline void
peer_enforce(struct peer *p, uint64_t version)
{
	char path[512];
	struct diag why = { "" };

	fixture_publish(p->x, version);
	snprintf(path, sizeof(path), "%s/set%llu", p->x->dir,
	    (unsigned long long)version);
	ruleset_unref(&p->r);
	if (fixture_build(p->x, path, &why) < 0 || ruleset_open(&p->r, path,
	    p->x->id->root, &why) < 0)
		fail_msg("%s", why.text);
}

static inline void
peer_decider(struct peer *p, const struct decide_conf *conf)
{
	milter_session_free(&p->s);
	decide_free(&p->decider);
	p->decider = decide_new(conf, &p->m);
	p->host = (struct host){ .arg = p, .view = peer_view,
	    .record = peer_record, .decider = p->decider, .metrics = &p->m,
	    .decision_headers = true };
}

static inline int
peer_setup(void **state)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	void *x;

	fixture_setup(&x);
	p->x = x;
	peer_decider(p, &(struct decide_conf){ 0 });
	*state = p;
	return 0;
}

static inline int
peer_teardown(void **state)
{
	struct peer *p = *state;
	void *x = p->x;

	milter_session_free(&p->s);
	decide_free(&p->decider);
	ruleset_unref(&p->r);
	free(p);
	return fixture_teardown(&x);
}

#endif
