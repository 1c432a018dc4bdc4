/*
 * events_server.c - the fleet's event socket and the message center behind it,
 * or a bare ROUTER that puts each event under its sequence.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/events.h"
#include "controller/fleet.h"
#include "controller/messages/messages.h"
#include "proto/base/clock.h"
#include "proto/base/db.h"
#include "proto/base/err.h"
#include "proto/wire/frame.h"

#define LOOPBACK "tcp://127.0.0.1:*"
#define HWM 16
#define WAIT_MS 200

struct events_server {
	struct events_shared *s;
	uint8_t secret[SOCK_KEY_LEN];
	char db_dir[128];
	/* the controller's */
	struct store *store;
	struct sign_key *root;
	struct signer *signer;
	pthread_mutex_t lock;
	struct messages *messages;
	struct fleet *fleet;
	/* the bare one's */
	struct db *db;
	pthread_t thread;
	struct sock_ctx *ctx;
	struct sock *sock;
	int started, start_rc;
	atomic_bool stop, running;
	uint64_t stored;
};

/* As the controller does. */
static int
on_events(void *arg, const char *node, const struct events *e, uint64_t *upto)
{
	struct events_server *o = arg;
	size_t refused = 0;
	int rc = messages_put(o->messages, node, e, clock_wall_us(), upto,
	    &refused, NULL);

	if (rc < 0 || refused > 0)
		o->s->failed = true;
	return rc;
}

static int
put_nodes(struct events_server *o, struct diag *why)
{
	char hex[SOCK_KEY_LEN * 2 + 1], id[32], json[256];
	uint32_t i;
	int rc = 0;

	for (i = 0; i < o->s->nodes && rc == 0; i++) {
		hex_format(o->s->node[i].key, SOCK_KEY_LEN, hex);
		snprintf(id, sizeof(id), "mx%u.example", i);
		snprintf(json, sizeof(json), "{\"key\":\"%s\",\"enrolled\":"
		    "1,\"revoked\":false}", hex);
		rc = store_row_put(o->store, "node", id, json, why);
	}
	return rc;
}

static int
start_controller(struct events_server *o, struct diag *why)
{
	struct publisher_cert cert = { .serial = 1,
	    .not_after_us = INT64_MAX / 2 };
	struct sign_key *key;
	struct fleet_conf c = { .lock = &o->lock, .secret = o->secret,
	    .control = LOOPBACK, .events = LOOPBACK, .enroll = LOOPBACK,
	    .on_events = on_events, .arg = o };
	char dir[128];
	int rc;

	snprintf(dir, sizeof(dir), "%s/store", o->s->dir);
	if ((rc = sign_key_new(&o->root)) < 0 ||
	    (rc = sign_key_new(&key)) < 0 ||
	    (rc = signer_make(&o->signer, o->root, &key, &cert)) < 0 ||
	    (rc = store_open(&o->store, dir, why)) < 0 ||
	    (rc = put_nodes(o, why)) < 0 ||
	    (rc = messages_open(&o->messages, o->db_dir, why)) < 0)
		return rc;
	c.store = o->store;
	c.signer = o->signer;
	c.root = sign_key_public(o->root);
	if ((rc = fleet_start(&o->fleet, &c, why)) < 0)
		return rc;
	snprintf(o->s->endpoint, sizeof(o->s->endpoint), "%s",
	    fleet_endpoint(o->fleet, FLEET_EVENTS));
	return 0;
}

static bool
admit(void *arg, const char *domain, const uint8_t key[SOCK_KEY_LEN])
{
	(void)arg;
	(void)domain;
	(void)key;
	return true;
}

/* One batch of a node: its events under peer and sequence, synced. */
static int
bare_put(struct events_server *o, const struct sock_msg *m,
    const struct events *e)
{
	struct db_batch *b = db_batch_new();
	struct buf key;
	size_t i;
	int rc;

	buf_init(&key, 0);
	for (i = 0; i < e->n; i++) {
		buf_reset(&key);
		buf_put(&key, m->peer, SOCK_ID_LEN);
		buf_put_u64(&key, e->first_seq + i);
		db_batch_put(b, key.data, key.len, e->event[i].p,
		    e->event[i].n);
	}
	rc = db_write(o->db, b, true, NULL);
	o->stored += e->n;
	buf_fini(&key);
	db_batch_free(&b);
	return rc;
}

static void
on_message(struct events_server *o, const struct sock_msg *m)
{
	struct events e;
	struct eack a;
	struct bytes in;
	struct buf out;

	if (frame_payload(m->data.data, m->data.len, FRAME_EVENTS, &in) < 0 ||
	    events_decode(&e, in, NULL) < 0 || bare_put(o, m, &e) < 0) {
		o->s->failed = true;
		return;
	}
	memcpy(a.spool_id, e.spool_id, sizeof(a.spool_id));
	a.upto_seq = e.first_seq + e.n - 1;
	buf_init(&out, FRAME_MAX);
	frame_begin(&out, FRAME_EACK);
	eack_encode(&a, &out);
	sock_send(o->sock, m->peer, out.data, out.len);
	buf_fini(&out);
	events_fini(&e);
}

static void *
run_bare(void *arg)
{
	struct events_server *o = arg;
	struct sock_conf conf = { .endpoint = LOOPBACK, .zap_domain = "bare",
	    .secret = o->secret, .max_msg = FRAME_EVENTS_MAX, .hwm = HWM };
	struct sock_poll p = { .sock = NULL };
	struct sock_msg m;

	o->ctx = sock_ctx_new();
	o->start_rc = o->ctx == NULL ? ERR_IO :
	    sock_zap_start(o->ctx, admit, NULL, NULL);
	if (o->start_rc == 0)
		o->start_rc = sock_serve(&o->sock, o->ctx, &conf, NULL);
	eventfd_write(o->started, 1);
	buf_init(&m.data, 0);
	p.sock = o->sock;
	while (o->start_rc == 0 && !o->stop) {
		sock_poll(&p, 1, WAIT_MS);
		while (sock_recv(o->sock, &m) == 0)
			on_message(o, &m);
	}
	buf_fini(&m.data);
	sock_close(&o->sock);
	if (o->ctx != NULL)
		sock_ctx_free(&o->ctx);
	return NULL;
}

static int
start_bare(struct events_server *o, struct diag *why)
{
	eventfd_t n;
	int rc = db_open(&o->db, o->db_dir, DB_CREATE, why);

	if (rc < 0)
		return rc;
	o->started = eventfd(0, EFD_CLOEXEC);
	if (o->started < 0 ||
	    pthread_create(&o->thread, NULL, run_bare, o) != 0)
		return diag_set(why, ERR_IO, "no descriptor or thread left");
	o->running = true;
	while (eventfd_read(o->started, &n) < 0 && errno == EINTR)
		continue;
	close(o->started);
	if (o->start_rc < 0)
		return diag_set(why, o->start_rc, "the bare ROUTER does not "
		    "start");
	snprintf(o->s->endpoint, sizeof(o->s->endpoint), "%s",
	    sock_endpoint(o->sock));
	return 0;
}

int
events_server_start(struct events_server **out, struct events_shared *s,
    struct diag *why)
{
	struct events_server *o = xcalloc(1, sizeof(*o));
	pthread_mutexattr_t recursive;

	*out = o;
	o->s = s;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&o->lock, &recursive);
	snprintf(o->db_dir, sizeof(o->db_dir), "%s/messages", s->dir);
	sock_keypair(s->server_key, o->secret);
	return s->bare ? start_bare(o, why) : start_controller(o, why);
}

static uint64_t
folder_bytes(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	uint64_t n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		struct stat st;

		if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
		    S_ISREG(st.st_mode))
			n += (uint64_t)st.st_size;
	}
	if (d != NULL)
		closedir(d);
	return n;
}

void
events_server_stop(struct events_server **op, uint64_t *bytes,
    uint64_t *stored)
{
	struct events_server *o = *op;

	*bytes = *stored = 0;
	if (o == NULL)
		return;
	fleet_stop(&o->fleet);
	o->stop = true;
	if (o->running)
		pthread_join(o->thread, NULL);
	*stored = o->messages != NULL ? messages_count(o->messages) :
	    o->stored;
	messages_close(&o->messages);
	db_close(&o->db);
	*bytes = folder_bytes(o->db_dir);
	store_close(&o->store);
	signer_unref(&o->signer);
	sign_key_free(&o->root);
	pthread_mutex_destroy(&o->lock);
	free(o);
	*op = NULL;
}
