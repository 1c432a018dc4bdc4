/*
 * fleet_bare.c - one thread, one ROUTER.
 */
#include "bench/fleet_bare.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/base/err.h"
#include "proto/wire/frame.h"

#define HWM 64
#define WAIT_MS 1000

struct bare {
	struct fleet_shared *s;
	const struct bare_frames *frames;
	uint8_t secret[SOCK_KEY_LEN];
	pthread_t thread;
	struct sock_ctx *ctx;
	struct sock *sock;
	int wake, started, start_rc;
	atomic_bool stop;
	pthread_mutex_t lock;
	struct buf delta, head;		/* to push; empty: nothing */
	struct buf newest;		/* the last head pushed; the thread's */
};

static bool
admit(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	(void)arg;
	(void)domain;
	(void)key;
	return true;
}

static void
send_chunks(struct bare *b, const struct sock_msg *m, struct bytes in)
{
	struct chunk_req q;
	uint32_t i;

	if (chunk_req_decode(&q, in, NULL) < 0)
		return;
	for (i = q.first; i < q.first + q.n && i < b->frames->chunks_n; i++)
		sock_send(b->sock, m->peer, b->frames->chunk[i].data,
		    b->frames->chunk[i].len);
}

static void
send_head(struct bare *b, const uint8_t *peer)
{
	const struct buf *h = b->newest.len > 0 ? &b->newest :
	    &b->frames->head;

	sock_send(b->sock, peer, h->data, h->len);
}

static void
on_ack(struct bare *b, struct bytes in)
{
	struct ack a;

	if (ack_decode(&a, in, NULL) < 0)
		return;
	b->s->real_us = (uint64_t)a.enforced_us;
	b->s->real_version = a.enforced;
}

static void
on_message(struct bare *b, const struct sock_msg *m)
{
	uint8_t type = frame_type(m->data.data, m->data.len);
	struct bytes in;
	struct hello h;

	if (type == FRAME_HELLO && frame_payload(m->data.data, m->data.len,
	    type, &in) == 0 && hello_decode(&h, in, NULL) == 0)
		send_head(b, m->peer);
	else if (type == FRAME_MANIFEST_REQ)
		sock_send(b->sock, m->peer, b->frames->manifest.data,
		    b->frames->manifest.len);
	else if (type == FRAME_CHUNK_REQ && frame_payload(m->data.data,
	    m->data.len, type, &in) == 0)
		send_chunks(b, m, in);
	else if (type == FRAME_ACK && memcmp(m->key, b->s->real_key,
	    SOCK_KEY_LEN) == 0 && frame_payload(m->data.data, m->data.len,
	    type, &in) == 0)
		on_ack(b, in);
}

/* To the real node in the middle of the others. */
static void
send_all(struct bare *b, const struct buf *frame)
{
	uint8_t peer[SOCK_ID_LEN];
	uint32_t i;

	for (i = 0; i < b->s->n; i++) {
		sock_client_id(b->s->client[i].key, peer);
		sock_send(b->sock, peer, frame->data, frame->len);
		if (i == b->s->n / 2) {
			sock_client_id(b->s->real_key, peer);
			sock_send(b->sock, peer, frame->data, frame->len);
		}
	}
}

static void
push(struct bare *b)
{
	struct buf delta, head;

	pthread_mutex_lock(&b->lock);
	delta = b->delta;
	head = b->head;
	buf_init(&b->delta, 0);
	buf_init(&b->head, 0);
	pthread_mutex_unlock(&b->lock);
	if (delta.len > 0)
		send_all(b, &delta);
	if (head.len > 0)
		send_all(b, &head);
	buf_fini(&delta);
	buf_fini(&b->newest);
	b->newest = head;
}

static void *
run(void *arg)
{
	struct bare *b = arg;
	struct sock_conf conf = { .endpoint = "tcp://127.0.0.1:*",
	    .zap_domain = "bare", .secret = b->secret, .max_msg = FRAME_MAX,
	    .hwm = HWM };
	struct sock_msg m;
	eventfd_t n;

	b->ctx = sock_ctx_new();
	b->start_rc = b->ctx == NULL ? ERR_IO :
	    sock_zap_start(b->ctx, admit, NULL, NULL);
	if (b->start_rc == 0)
		b->start_rc = sock_serve(&b->sock, b->ctx, &conf, NULL);
	eventfd_write(b->started, 1);
	buf_init(&m.data, FRAME_MAX);
	while (b->start_rc == 0 && !b->stop) {
		struct sock_poll p[2] = { { .sock = b->sock },
		    { .fd = b->wake } };

		sock_poll(p, 2, WAIT_MS);
		while (sock_recv(b->sock, &m) == 0)
			on_message(b, &m);
		if (eventfd_read(b->wake, &n) == 0)
			push(b);
	}
	buf_fini(&m.data);
	sock_close(&b->sock);
	if (b->ctx != NULL)
		sock_ctx_free(&b->ctx);
	return NULL;
}

int
bare_start(struct bare **out, struct fleet_shared *s,
    const uint8_t secret[SOCK_KEY_LEN], const struct bare_frames *frames,
    struct diag *why)
{
	struct bare *b = xcalloc(1, sizeof(*b));
	eventfd_t n;

	*out = b;
	b->s = s;
	b->frames = frames;
	memcpy(b->secret, secret, SOCK_KEY_LEN);
	buf_init(&b->delta, 0);
	buf_init(&b->head, 0);
	pthread_mutex_init(&b->lock, NULL);
	b->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->started = eventfd(0, EFD_CLOEXEC);
	if (pthread_create(&b->thread, NULL, run, b) != 0)
		abort();
	while (eventfd_read(b->started, &n) < 0 && errno == EINTR)
		continue;
	if (b->start_rc < 0)
		return diag_set(why, b->start_rc, "the bare ROUTER does not "
		    "start");
	snprintf(s->endpoint, sizeof(s->endpoint), "%s",
	    sock_endpoint(b->sock));
	return 0;
}

void
bare_stop(struct bare **bp)
{
	struct bare *b = *bp;

	if (b == NULL)
		return;
	b->stop = true;
	eventfd_write(b->wake, 1);
	pthread_join(b->thread, NULL);
	close(b->wake);
	close(b->started);
	buf_fini(&b->delta);
	buf_fini(&b->head);
	buf_fini(&b->newest);
	free(b);
	*bp = NULL;
}

void
bare_push(struct bare *b, const struct buf *delta, const struct buf *head)
{
	pthread_mutex_lock(&b->lock);
	buf_put(&b->delta, delta->data, delta->len);
	buf_put(&b->head, head->data, head->len);
	pthread_mutex_unlock(&b->lock);
	eventfd_write(b->wake, 1);
}
