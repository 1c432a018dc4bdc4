/*
 * join.c - one question to the controller's enrolment socket.
 */
#include "node/join.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

#define WAIT_MS 15000

/* Send the token's secret as soon as the socket takes it. */
static int
ask(struct sock *s, const struct join_token *t, const char *name,
    uint64_t deadline)
{
	struct enroll e = { .name = "" };
	struct buf frame;
	int rc;

	memcpy(e.secret, t->secret, sizeof(e.secret));
	snprintf(e.name, sizeof(e.name), "%s", name);
	buf_init(&frame, FRAME_ENROLL_MAX);
	frame_begin(&frame, FRAME_ENROLL);
	enroll_encode(&e, &frame);
	while ((rc = sock_send(s, NULL, frame.data, frame.len)) ==
	    ERR_AGAIN && clock_mono_ms() < deadline)
		sock_poll(&(struct sock_poll){ .sock = s }, 1, 100);
	sodium_memzero(frame.data, frame.len);
	buf_fini(&frame);
	return rc;
}

static int
wait_answer(struct sock *s, struct sock_msg *m, uint64_t deadline)
{
	struct sock_poll p = { .sock = s };
	uint64_t now;

	while ((now = clock_mono_ms()) < deadline) {
		if (sock_recv(s, m) == 0)
			return 0;
		sock_poll(&p, 1, (int)(deadline - now));
	}
	return ERR_UNREACH;
}

static int
refused(struct bytes text, struct diag *why)
{
	char line[200];
	size_t i, n = text.n < sizeof(line) ? text.n : sizeof(line) - 1;

	for (i = 0; i < n; i++)
		line[i] = text.p[i] < ' ' || text.p[i] > '~' ? '?' :
		    (char)text.p[i];
	line[n] = '\0';
	return diag_set(why, ERR_AUTH, "the controller refused the join "
	    "token: %s; make a new one with \"postern node join-token\"", line);
}

/* Take over what the controller gave, once the root key is the token's. */
static int
accept_enrolled(const struct join_token *t, const struct enrolled *e,
    struct node_identity *out, struct diag *why)
{
	struct publisher_cert cert;
	uint8_t hash[32];
	int rc;

	crypto_generichash(hash, sizeof(hash), e->root_key,
	    sizeof(e->root_key), NULL, 0);
	if (sodium_memcmp(hash, t->root_hash, sizeof(hash)) != 0)
		return diag_set(why, ERR_AUTH, "the controller's root key is "
		    "not the one the join token names");
	if (e->cert_len > sizeof(out->cert))
		return diag_set(why, ERR_CORRUPT, "certificate too long");
	if ((rc = cert_open(e->root_key, e->cert, e->cert_len,
	    clock_wall_us(), &cert, why)) < 0)
		return rc;
	memcpy(out->id, e->node_id, sizeof(out->id));
	memcpy(out->control, e->control, sizeof(out->control));
	memcpy(out->events, e->events, sizeof(out->events));
	memcpy(out->server_key, e->server_key, sizeof(out->server_key));
	memcpy(out->root, e->root_key, sizeof(out->root));
	memcpy(out->cert, e->cert, e->cert_len);
	out->cert_len = e->cert_len;
	return 0;
}

static int
read_answer(const struct join_token *t, const struct sock_msg *m,
    struct node_identity *out, struct diag *why)
{
	struct bytes payload;
	struct enrolled e;
	int rc;

	if (frame_payload(m->data.data, m->data.len, FRAME_REFUSED,
	    &payload) == 0)
		return refused(payload, why);
	if (frame_payload(m->data.data, m->data.len, FRAME_ENROLLED,
	    &payload) < 0)
		return diag_set(why, ERR_CORRUPT, "the controller gave an "
		    "answer that this version does not know");
	if ((rc = enrolled_decode(&e, payload, why)) < 0)
		return rc;
	return accept_enrolled(t, &e, out, why);
}

int
join(const char *token, const char *name, struct node_identity *out,
    struct diag *why)
{
	uint64_t deadline = clock_mono_ms() + WAIT_MS;
	struct sock_ctx *ctx = NULL;
	struct sock *s = NULL;
	uint8_t pub[SOCK_KEY_LEN];
	struct join_token t;
	struct sock_msg m;
	int rc;

	buf_init(&m.data, 0);
	if ((rc = token_parse(token, &t, why)) < 0)
		goto out;
	sock_keypair(pub, out->secret);
	ctx = sock_ctx_new();
	rc = sock_connect(&s, ctx, &(struct sock_conf){
	    .endpoint = t.endpoint, .secret = out->secret,
	    .server = t.server_key, .max_msg = FRAME_ENROLL_MAX,
	    .hwm = 10 }, why);
	if (rc < 0)
		goto out;
	rc = ask(s, &t, name, deadline);
	if (rc == 0)
		rc = wait_answer(s, &m, deadline);
	if (rc < 0)
		diag_set(why, rc, "no answer from the controller at %s within "
		    "%d s: is it running, and reachable from here?",
		    t.endpoint, WAIT_MS / 1000);
	else
		rc = read_answer(&t, &m, out, why);
out:
	sodium_memzero(&t, sizeof(t));
	sock_close(&s);
	if (ctx != NULL)
		sock_ctx_free(&ctx);
	buf_fini(&m.data);
	return rc;
}
