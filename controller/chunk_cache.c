/*
 * chunk_cache.c - a few slots, searched one by one; the one used longest ago
 * makes room.
 */
#include "controller/chunk_cache.h"

#include <stdlib.h>
#include <string.h>

#include "proto/wire/frame.h"

struct slot {
	uint8_t manifest_id[HASH_LEN];
	uint32_t i;
	uint64_t used;		/* 0: empty */
	struct sock_blob *frame;
};

struct chunk_cache {
	struct slot slot[CHUNK_CACHE_N];
	uint64_t clock;
};

struct chunk_cache *
chunk_cache_new(void)
{
	return xcalloc(1, sizeof(struct chunk_cache));
}

void
chunk_cache_free(struct chunk_cache **cp)
{
	size_t k;

	if (*cp == NULL)
		return;
	for (k = 0; k < CHUNK_CACHE_N; k++)
		sock_blob_unref(&(*cp)->slot[k].frame);
	free(*cp);
	*cp = NULL;
}

static int
read_chunk(const struct publication *p, uint32_t i, struct sock_blob **out)
{
	struct buf frame;
	int rc;

	buf_init(&frame, FRAME_MAX);
	if ((rc = publication_chunk(p, i, &frame)) == 0) {
		*out = sock_blob_new(frame.len);
		memcpy(sock_blob_data(*out), frame.data, frame.len);
	}
	buf_fini(&frame);
	return rc;
}

int
chunk_cache_get(struct chunk_cache *c, const struct publication *p,
    const uint8_t manifest_id[HASH_LEN], uint32_t i,
    struct sock_blob **frame)
{
	struct slot *s = NULL, *oldest = &c->slot[0];
	size_t k;
	int rc;

	for (k = 0; k < CHUNK_CACHE_N && s == NULL; k++) {
		struct slot *at = &c->slot[k];

		if (at->used != 0 && at->i == i && memcmp(at->manifest_id,
		    manifest_id, HASH_LEN) == 0)
			s = at;
		else if (at->used < oldest->used)
			oldest = at;
	}
	if (s == NULL) {
		s = oldest;
		s->used = 0;
		sock_blob_unref(&s->frame);
		if ((rc = read_chunk(p, i, &s->frame)) < 0)
			return rc;
		s->i = i;
		memcpy(s->manifest_id, manifest_id, HASH_LEN);
	}
	s->used = ++c->clock;
	*frame = s->frame;
	return 0;
}
