/*
 * join_bare.c - head, manifest, chunks with credit; batches of a megabyte.
 */
#include "bench/join_bare.h"

#include <stdio.h>
#include <string.h>

#include "bench/stat.h"
#include "proto/base/db.h"
#include "proto/base/err.h"
#include "proto/policy/decide.h"
#include "proto/policy/record.h"
#include "proto/wire/frame.h"
#include "proto/wire/snapshot.h"

#define HWM 64
#define WAIT_S 300
#define BATCH_BYTES (1024 * 1024)

struct bare_join {
	const struct fleet_shared *s;
	struct sock *sock;
	struct db *db;
	struct db_batch *batch;
	struct manifest manifest;	/* chunks NULL: none yet */
	uint8_t manifest_id[HASH_LEN];
	uint32_t asked, got;
	uint64_t records;
	struct buf out;
	struct diag *why;
};

static int
send_out(struct bare_join *j)
{
	return sock_send(j->sock, NULL, j->out.data, j->out.len);
}

static int
say_hello(struct bare_join *j)
{
	struct hello h = { .proto_min = WIRE_PROTOCOL,
	    .proto_max = WIRE_PROTOCOL, .record_format = RECORD_FORMAT,
	    .engine = DECIDE_ENGINE, .build = "bench" };

	buf_reset(&j->out);
	frame_begin(&j->out, FRAME_HELLO);
	hello_encode(&h, &j->out);
	return send_out(j);
}

static int
on_head(struct bare_join *j, struct bytes frame)
{
	struct bytes payload;
	struct head h;
	int rc;

	if (j->manifest.chunks != NULL)
		return 0;
	rc = frame_open(frame.p, frame.n, FRAME_HEAD, j->s->publisher,
	    &payload, j->why);
	if (rc < 0 || (rc = head_decode(&h, payload, j->why)) < 0)
		return rc;
	memcpy(j->manifest_id, h.manifest_id, HASH_LEN);
	buf_reset(&j->out);
	frame_begin(&j->out, FRAME_MANIFEST_REQ);
	buf_put(&j->out, h.manifest_id, HASH_LEN);
	return send_out(j);
}

/* Ask for chunks, as far as the credit goes. */
static int
ask_chunks(struct bare_join *j)
{
	struct chunk_req q = { .first = j->asked };
	uint32_t left = (uint32_t)j->manifest.chunks_n - j->asked;

	q.n = FRAME_CREDIT - (j->asked - j->got);
	q.n = q.n < left ? q.n : left;
	if (q.n == 0)
		return 0;
	memcpy(q.manifest_id, j->manifest_id, HASH_LEN);
	j->asked += q.n;
	buf_reset(&j->out);
	frame_begin(&j->out, FRAME_CHUNK_REQ);
	chunk_req_encode(&q, &j->out);
	return send_out(j);
}

static int
on_manifest(struct bare_join *j, struct bytes frame)
{
	struct bytes payload;
	int rc;

	if (j->manifest.chunks != NULL)
		return 0;
	rc = frame_open(frame.p, frame.n, FRAME_MANIFEST, j->s->publisher,
	    &payload, j->why);
	if (rc == 0)
		rc = manifest_decode(&j->manifest, payload, j->why);
	return rc < 0 ? rc : ask_chunks(j);
}

static int
flush(struct bare_join *j, bool sync)
{
	int rc = db_write(j->db, j->batch, sync, j->why);

	db_batch_clear(j->batch);
	return rc;
}

/* They come in order, as they were asked for. */
static int
on_chunk(struct bare_join *j, struct bytes in)
{
	struct bytes key, val;
	uint32_t i;
	int rc = 0;

	bytes_u8(&in);
	i = bytes_u32(&in);
	if (i != j->got || i >= j->manifest.chunks_n ||
	    chunk_check(&j->manifest.chunks[i], in.p, in.n) < 0)
		return diag_set(j->why, ERR_CORRUPT, "chunk %u is not what "
		    "was asked for", i);
	j->got++;
	if ((rc = ask_chunks(j)) < 0)
		return rc;
	while (rc == 0 && chunk_next(&in, &key, &val)) {
		j->records++;
		db_batch_put(j->batch, key.p, key.n, val.p, val.n);
		if (db_batch_bytes(j->batch) >= BATCH_BYTES)
			rc = flush(j, false);
	}
	return rc;
}

static int
on_frame(struct bare_join *j, const struct buf *data)
{
	struct bytes frame = bytes_of(data->data, data->len);

	switch (frame_type(data->data, data->len)) {
	case FRAME_HEAD:
		return on_head(j, frame);
	case FRAME_MANIFEST:
		return on_manifest(j, frame);
	case FRAME_CHUNK:
		return on_chunk(j, frame);
	default:
		return 0;
	}
}

static int
take_all(struct bare_join *j)
{
	double end = stat_now() + WAIT_S;
	struct sock_poll p = { .sock = j->sock };
	struct sock_msg m;
	int rc = say_hello(j);

	buf_init(&m.data, FRAME_MAX);
	while (rc == 0 && (j->manifest.chunks == NULL ||
	    j->got < j->manifest.chunks_n)) {
		sock_poll(&p, 1, 1000);
		while (rc == 0 && sock_recv(j->sock, &m) == 0)
			rc = on_frame(j, &m.data);
		if (rc == 0 && stat_now() > end)
			rc = diag_set(j->why, ERR_TIMEOUT, "%u chunks came in "
			    "%d s", j->got, WAIT_S);
	}
	buf_fini(&m.data);
	return rc;
}

int
join_bare(const struct fleet_shared *s, const char *dir,
    struct join_bare_times *out, struct diag *why)
{
	struct sock_ctx *ctx = sock_ctx_new();
	struct bare_join j = { .s = s, .batch = db_batch_new(), .why = why };
	struct sock_conf conf = { .endpoint = s->endpoint,
	    .server = s->server_key, .max_msg = FRAME_MAX, .hwm = HWM,
	    .secret = s->client[0].secret };
	double begin = stat_now();
	char path[1100];
	int rc;

	snprintf(path, sizeof(path), "%s/bare", dir);
	buf_init(&j.out, FRAME_MAX);
	if ((rc = sock_connect(&j.sock, ctx, &conf, why)) == 0 &&
	    (rc = db_open(&j.db, path, DB_CREATE | DB_NEW | DB_PARANOID |
	    DB_BULK | DB_LARGE, why)) == 0 && (rc = take_all(&j)) == 0)
		rc = flush(&j, true);
	db_close(&j.db);
	out->s = stat_now() - begin;
	out->records = j.records;
	sock_close(&j.sock);
	sock_ctx_free(&ctx);
	manifest_fini(&j.manifest);
	db_batch_free(&j.batch);
	buf_fini(&j.out);
	return rc;
}
