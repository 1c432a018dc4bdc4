/*
 * fuzz_wire.c - any bytes as anything that comes over the wire: the first
 * byte says as what.  What a decoder takes, encoded and decoded again, gives
 * the same bytes; what is borrowed lies inside what came.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire/delta.h"
#include "proto/wire/event.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"
#include "proto/wire/snapshot.h"
#include "tests/fuzz/target.h"

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->err == 0 && b->err == 0 && a->len == b->len &&
	    (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* try_<type>(): decode, and when that works encode, decode, encode. */
#define TRY(type, encode, decode, fini)					\
static void								\
try_##type(struct bytes in)						\
{									\
	struct type one, two;						\
	struct diag why;						\
	struct buf a, b;						\
									\
	if (decode(&one, in, &why) < 0)					\
		return;							\
	buf_init(&a, 0);						\
	buf_init(&b, 0);						\
	encode(&one, &a);						\
	must(decode(&two, bytes_of(a.data, a.len), &why) == 0);		\
	encode(&two, &b);						\
	must(same(&a, &b));						\
	fini(&one);							\
	fini(&two);							\
	buf_fini(&a);							\
	buf_fini(&b);							\
}

#define NOTHING(p) ((void)(p))

TRY(head, head_encode, head_decode, NOTHING)
TRY(manifest, manifest_encode, manifest_decode, manifest_fini)
TRY(delta, delta_encode, delta_decode, delta_fini)
TRY(delta_req, delta_req_encode, delta_req_decode, NOTHING)
TRY(hello, hello_encode, hello_decode, NOTHING)
TRY(ack, ack_encode, ack_decode, NOTHING)
TRY(chunk_req, chunk_req_encode, chunk_req_decode, NOTHING)
TRY(enroll, enroll_encode, enroll_decode, NOTHING)
TRY(enrolled, enrolled_encode, enrolled_decode, NOTHING)
TRY(events, events_encode, events_decode, events_fini)
TRY(eack, eack_encode, eack_decode, NOTHING)
TRY(event, event_encode, event_decode, NOTHING)

static bool
inside(struct bytes part, struct bytes whole)
{
	return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

/* What is decoded has as many rows as it says, all within it and rising: the
 * same rows go into a delta of our own. */
static void
try_rows(struct bytes in)
{
	struct delta d, own;
	struct delta_op op;
	struct bytes rows;

	if (delta_decode(&d, in, NULL) < 0)
		return;
	delta_init(&own);
	rows = delta_rows(&d);
	while (delta_next(&rows, &op)) {
		must(inside(op.key, delta_rows(&d)));
		must((op.kind == DELTA_PUT ? delta_put(&own, op.key.p,
		    op.key.n, op.val.p, op.val.n) :
		    delta_del(&own, op.key.p, op.key.n)) == 0);
	}
	must(rows.err == 0 && own.ops_n == d.ops_n);
	must(same(&own.ops, &d.ops) || d.ops_n == 0);
	delta_fini(&own);
	delta_fini(&d);
}

static void
try_chunk(struct bytes in)
{
	struct bytes rest = in, key, val;
	size_t left = in.n;

	while (chunk_next(&rest, &key, &val)) {
		must(inside(key, in) && inside(val, in) && key.n > 0);
		must(rest.n < left);
		left = rest.n;
	}
	must(rest.err != 0 || rest.n == 0);
}

/* Under a key that everybody has: corpus files are signed by it. */
static void
try_frame(struct bytes in)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES] = { 1 };
	uint8_t pub[crypto_sign_PUBLICKEYBYTES];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	struct publisher_cert cert;
	struct bytes payload;
	struct diag why;
	int type;

	crypto_sign_seed_keypair(pub, secret, seed);
	for (type = 0; type < 256; type++) {
		if (frame_open(in.p, in.n, (enum frame_type)type, pub,
		    &payload, &why) == 0)
			must(inside(payload, in) && frame_is_signed(
			    frame_type(in.p, in.n)));
		if (frame_payload(in.p, in.n, (enum frame_type)type,
		    &payload) == 0)
			must(inside(payload, in) &&
			    !frame_is_signed((uint8_t)type));
	}
	cert_open(pub, in.p, in.n, 0, &cert, &why);
}

static void
try_token(struct bytes in)
{
	char *text = malloc(in.n + 1);
	struct join_token t, again;
	struct buf b;

	must(text != NULL);
	memcpy(text, in.p, in.n);
	text[in.n] = '\0';
	buf_init(&b, 0);
	if (token_parse(text, &t, NULL) == 0 &&
	    strlen(t.endpoint) < sizeof(t.endpoint)) {
		token_format(&t, &b);
		must(token_parse(b.data, &again, NULL) == 0);
		must(strcmp(t.endpoint, again.endpoint) == 0);
	}
	buf_fini(&b);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const tries[])(struct bytes) = {
		try_frame, try_head, try_manifest, try_hello, try_ack,
		try_chunk_req, try_enroll, try_enrolled, try_events,
		try_eack, try_event, try_chunk, try_token, try_delta,
		try_delta_req, try_rows,
	};

	if (len > 0)
		tries[data[0] % (sizeof(tries) / sizeof(tries[0]))](
		    bytes_of(data + 1, len - 1));
	return 0;
}
