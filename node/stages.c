/*
 * stages.c - two small tables: mail servers by name, open recipients by hash.
 *
 * Open recipients stand in a ring in order of time; a hash is sought from the
 * newest on, and what is looked for was put in a moment ago.
 */
#include "node/stages.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"

#define PEERS 256
#define HASH_LEN 16
#define SPLITS 4096		/* a power of two */
#define SPLIT_TIMES 3
#define SPLIT_MS ((uint64_t)12 * 3600 * 1000)

struct peer { char name[64]; uint64_t at_ms; };
struct passed {
	uint8_t hash[HASH_LEN];
	uint64_t at_ms;
	enum reason noted;
	bool open;		/* counts when nobody settles it */
	bool settled;
};
struct split { uint8_t hash[HASH_LEN]; uint64_t at_ms; unsigned n; };

struct stages {
	struct peer peer[PEERS];
	size_t peers_n;
	struct passed ring[STAGES_OPEN_MAX];
	size_t first, n;
	struct split split[SPLITS];
	uint64_t dropped;	/* pushed out of the ring unsettled */
};

struct stages *
stages_new(void)
{
	return xcalloc(1, sizeof(struct stages));
}

void
stages_free(struct stages **s)
{
	free(*s);
	*s = NULL;
}

void
stages_saw(struct stages *s, const char *peer, uint64_t now_ms)
{
	size_t i, oldest = 0;

	for (i = 0; i < s->peers_n; i++) {
		if (strcmp(s->peer[i].name, peer) == 0) {
			s->peer[i].at_ms = now_ms;
			return;
		}
		if (s->peer[i].at_ms < s->peer[oldest].at_ms)
			oldest = i;
	}
	if (s->peers_n < PEERS)
		oldest = s->peers_n++;
	strncpy(s->peer[oldest].name, peer, sizeof(s->peer[0].name) - 1);
	s->peer[oldest].at_ms = now_ms;
}

bool
stages_is_empty(const struct stages *s)
{
	return s->peers_n == 0;
}

bool
stages_has(const struct stages *s, const char *peer, uint64_t now_ms)
{
	size_t i;

	for (i = 0; i < s->peers_n; i++) {
		if (strcmp(s->peer[i].name, peer) == 0)
			return now_ms - s->peer[i].at_ms <= STAGES_SEEN_MS;
	}
	return false;
}

static void
hash_of(const struct envelope *e, bool client, uint8_t out[HASH_LEN])
{
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, HASH_LEN);
	crypto_generichash_update(&h, (const uint8_t *)&e->ip,
	    client && e->has_ip ? sizeof(e->ip) : 0);
	/* with the NUL: it ends the text */
	crypto_generichash_update(&h, (const uint8_t *)e->sender.text,
	    e->sender.len + 1);
	crypto_generichash_update(&h, (const uint8_t *)e->rcpt.text,
	    e->rcpt.len + 1);
	crypto_generichash_final(&h, out, HASH_LEN);
}

static bool
counts(const struct passed *p)
{
	return p->open && !p->settled;
}

static void
drop_first(struct stages *s)
{
	s->first = (s->first + 1) % STAGES_OPEN_MAX;
	s->n--;
}

void
stages_passed(struct stages *s, const struct envelope *e, bool open,
    enum reason noted, uint64_t now_ms)
{
	struct passed *p;

	if (s->n == STAGES_OPEN_MAX) {
		s->dropped += counts(&s->ring[s->first]);
		drop_first(s);
	}
	p = &s->ring[(s->first + s->n++) % STAGES_OPEN_MAX];
	*p = (struct passed){ .at_ms = now_ms, .noted = noted, .open = open };
	hash_of(e, true, p->hash);
}

enum reason
stages_settle(struct stages *s, const struct envelope *e)
{
	enum reason noted = REASON_ACCEPTED;
	uint8_t hash[HASH_LEN];
	size_t i;

	if (s->n == 0)
		return noted;
	hash_of(e, true, hash);
	for (i = s->n; i-- > 0; ) {
		struct passed *p = &s->ring[(s->first + i) %
		    STAGES_OPEN_MAX];

		if (p->settled || memcmp(p->hash, hash, HASH_LEN) != 0)
			continue;
		p->settled = true;
		noted = p->noted;
		break;
	}
	while (s->n > 0 && s->ring[s->first].settled)
		drop_first(s);
	return noted;
}

static struct split *
find_split(struct stages *s, const struct envelope *e,
    uint8_t hash[HASH_LEN])
{
	hash_of(e, false, hash);
	return &s->split[(hash[0] | hash[1] << 8) & (SPLITS - 1)];
}

bool
stages_may_split(struct stages *s, const struct envelope *e, uint64_t now_ms)
{
	uint8_t hash[HASH_LEN];
	struct split *p = find_split(s, e, hash);

	if (memcmp(p->hash, hash, HASH_LEN) != 0 ||
	    now_ms - p->at_ms > SPLIT_MS) {
		memcpy(p->hash, hash, HASH_LEN);
		p->n = 0;
	}
	if (p->n >= SPLIT_TIMES)
		return false;
	p->n++;
	p->at_ms = now_ms;
	return true;
}

void
stages_split_done(struct stages *s, const struct envelope *e)
{
	uint8_t hash[HASH_LEN];
	struct split *p = find_split(s, e, hash);

	if (memcmp(p->hash, hash, HASH_LEN) == 0)
		memset(p, 0, sizeof(*p));
}

uint64_t
stages_unresolved(struct stages *s, uint64_t now_ms)
{
	uint64_t n = s->dropped;

	s->dropped = 0;
	while (s->n > 0 && (s->ring[s->first].settled ||
	    now_ms - s->ring[s->first].at_ms > STAGES_OPEN_MS)) {
		n += counts(&s->ring[s->first]);
		drop_first(s);
	}
	return n;
}
