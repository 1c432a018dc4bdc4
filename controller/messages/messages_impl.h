/*
 * messages_impl.h - what the files of the message center share: the database
 * and the making of keys.  For controller/messages/ alone.
 */
#ifndef MESSAGES_IMPL_H
#define MESSAGES_IMPL_H

#include <pthread.h>
#include <string.h>

#include "controller/messages/key_set.h"
#include "controller/messages/messages.h"
#include "proto/base/db.h"

#define DAY_US ((int64_t)86400 * 1000000)
#define PLACE_MIN (8 + REPLY_ID_LEN + 1)
#define PLACE_MAX (8 + REPLY_ID_LEN + MESSAGES_NODE_MAX)
#define KEY_MAX (2 * ADDR_TEXT_MAX + PLACE_MAX + 8)

/* A counter: refusals, and the last one. */
struct count { uint64_t n; int64_t last_us; };

struct messages {
	struct db *db;
	pthread_rwlock_t use;	/* taken before lock; to write: to reopen */
	pthread_mutex_t lock;	/* one writer: counters are read and raised */
	uint64_t rows;		/* guarded by lock, as is what one batch uses */
	struct key_set *batch_counts, *batch_rows;
	struct count *batch_count;
};

struct key { size_t n; uint8_t p[KEY_MAX]; };

static inline void
key_add(struct key *k, const void *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(k->p + k->n, data, len);
	k->n += len;
}

static inline void
key_u64(struct key *k, uint64_t v)
{
	int i;

	for (i = 56; i >= 0; i -= 8)
		k->p[k->n++] = (uint8_t)(v >> i);
}

static inline void
key_begin(struct key *k, char kind)
{
	k->p[0] = (uint8_t)kind;
	k->n = 1;
}

/* kind and a text that ends with its NUL: no text is another's prefix. */
static inline void
key_text(struct key *k, char kind, const char *text)
{
	key_begin(k, kind);
	key_add(k, text, strlen(text) + 1);
}

static inline uint64_t
place_time(const uint8_t *place)
{
	struct bytes b = bytes_of(place, 8);

	return bytes_u64(&b);
}

static inline uint16_t
day_of(int64_t time_us)
{
	int64_t day = time_us < 0 ? 0 : time_us / DAY_US;

	return day > UINT16_MAX ? UINT16_MAX : (uint16_t)day;
}

static inline bool
is_row(struct bytes k)
{
	return k.n >= 1 + PLACE_MIN && k.n <= 1 + PLACE_MAX && k.p[0] == 'M';
}

#endif
