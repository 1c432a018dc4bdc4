/*
 * fleet_real.c - the standard set as a publisher has it: its keys, head and
 * sums; and postern-node as one of its nodes.
 */
#include "bench/fleet_real.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/net.h"
#include "bench/set_make.h"
#include "bench/stat.h"
#include "node/identity.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/policy/decide.h"
#include "proto/policy/record.h"
#include "proto/wire/delta.h"
#include "proto/wire/frame.h"

#define PATH_LEN 1200

struct fleet_real {
	const struct set *set;
	char dir[1024], chunks[PATH_LEN];
	struct node_identity *id;
	uint8_t key[SOCK_KEY_LEN];
	struct signer *signer;
	struct head head;
	struct digest digest;
	uint64_t pushed;
	struct child node;		/* pid 0: none */
};

/* The payload of a signed frame in a file of dir. */
static int
read_frame(const struct fleet_real *r, const char *name, struct buf *frame,
    struct bytes *payload, struct diag *why)
{
	char path[PATH_LEN];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	buf_reset(frame);
	if ((rc = file_read(path, FRAME_MAX, frame, why)) < 0)
		return rc;
	*payload = bytes_of(frame->data, frame->len);
	return bytes_take(payload, FRAME_SIGNED_LEN) != NULL ? 0 :
	    diag_set(why, ERR_CORRUPT, "%s: too short", path);
}

static int
load_head(struct fleet_real *r, struct diag *why)
{
	struct manifest m;
	struct bytes in;
	struct buf frame;
	int rc;

	buf_init(&frame, FRAME_MAX);
	memset(&m, 0, sizeof(m));
	if ((rc = read_frame(r, SET_HEAD, &frame, &in, why)) == 0 &&
	    (rc = head_decode(&r->head, in, why)) == 0 &&
	    (rc = read_frame(r, SET_MANIFEST, &frame, &in, why)) == 0 &&
	    (rc = manifest_decode(&m, in, why)) == 0)
		digest_load(&r->digest, m.state, m.count);
	manifest_fini(&m);
	buf_fini(&frame);
	return rc;
}

static int
load_signer(struct fleet_real *r, struct diag *why)
{
	struct sign_key *key = NULL;
	char path[PATH_LEN];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", r->dir, SET_PUBLISHER);
	if ((rc = sign_key_load(&key, path, why)) == 0)
		rc = signer_take(&r->signer, r->id->root, &key,
		    bytes_of(r->id->cert, r->id->cert_len), INT64_MIN, why);
	sign_key_free(&key);
	return rc;
}

int
fleet_real_open(struct fleet_real **out, const struct set *s,
    const char *dir, struct diag *why)
{
	struct fleet_real *r = xcalloc(1, sizeof(*r));
	struct set_times times;
	int rc;

	r->set = s;
	r->id = identity_new();
	snprintf(r->dir, sizeof(r->dir), "%s", dir);
	snprintf(r->chunks, sizeof(r->chunks), "%s/published", dir);
	if ((rc = set_make(s, dir, &times, why)) < 0 ||
	    (rc = set_chunks(s, dir, why)) < 0 ||
	    (rc = identity_load(r->id, dir, why)) < 0 ||
	    (rc = load_signer(r, why)) < 0 || (rc = load_head(r, why)) < 0)
		fleet_real_close(&r);
	else
		sock_public(r->id->secret, r->key);
	*out = r;
	return rc;
}

void
fleet_real_close(struct fleet_real **rp)
{
	struct fleet_real *r = *rp;

	if (r == NULL)
		return;
	fleet_real_stop(r);
	signer_unref(&r->signer);
	identity_free(&r->id);
	free(r);
	*rp = NULL;
}

const uint8_t *
fleet_real_root(const struct fleet_real *r)
{
	return r->id->root;
}

struct signer *
fleet_real_signer(struct fleet_real *r)
{
	return r->signer;
}

const struct head *
fleet_real_head(const struct fleet_real *r)
{
	return &r->head;
}

const uint8_t *
fleet_real_key(const struct fleet_real *r)
{
	return r->key;
}

const char *
fleet_real_chunks(const struct fleet_real *r)
{
	return r->chunks;
}

int
fleet_real_next(struct fleet_real *r, struct buf *frame, struct diag *why)
{
	struct delta d;
	struct buf key, val;
	int rc;

	delta_init(&d);
	buf_init(&key, RECORD_KEY_MAX);
	buf_init(&val, RECORD_VALUE_MAX);
	set_new_entry(r->pushed + 1, &key, &val);
	d.from_version = r->head.version;
	d.to_version = r->head.version + 1;
	d.engine = DECIDE_ENGINE;
	d.record_format = RECORD_FORMAT;
	d.issued_us = clock_wall_us();
	memcpy(d.from_digest, r->head.digest, DIGEST_LEN);
	digest_add(&r->digest, key.data, key.len, val.data, val.len);
	digest_final(&r->digest, d.to_digest);
	d.to_count = r->digest.count;
	rc = delta_put(&d, key.data, key.len, val.data, val.len);
	if (rc == 0)
		rc = delta_sign(&d, signer_key(r->signer), frame);
	if (rc == 0) {
		r->pushed++;
		r->head.prev_version = r->head.version;
		memcpy(r->head.prev_digest, r->head.digest, DIGEST_LEN);
		r->head.version = d.to_version;
		r->head.count = d.to_count;
		memcpy(r->head.digest, d.to_digest, DIGEST_LEN);
	} else
		diag_set(why, rc, "the delta cannot be made");
	delta_fini(&d);
	buf_fini(&key);
	buf_fini(&val);
	return rc;
}

/* --- the node ------------------------------------------------------------ */

/* As it was published: what deltas and an earlier run left is removed. */
static int
prepare(struct fleet_real *r, bool join, char dir[PATH_LEN],
    struct diag *why)
{
	char path[PATH_LEN + 64];
	int rc;

	snprintf(dir, PATH_LEN, "%s%s", r->dir, join ? "/joiner" : "");
	if (join)
		return (rc = file_remove_tree(dir, why)) < 0 ? rc :
		    file_mkdirs(dir, 0700, why);
	snprintf(path, sizeof(path), "%s/sets/1/live", dir);
	rc = file_remove_tree(path, why);
	snprintf(path, sizeof(path), "%s/ratchet", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/sentry", dir);
	unlink(path);
	return rc;
}

int
fleet_real_start(struct fleet_real *r, const char *control,
    const char *events, const uint8_t server_key[SOCK_KEY_LEN], bool join,
    struct diag *why)
{
	char dir[PATH_LEN], log[PATH_LEN + 16];
	int rc;

	if ((rc = prepare(r, join, dir, why)) < 0)
		return rc;
	snprintf(r->id->control, sizeof(r->id->control), "%s", control);
	snprintf(r->id->events, sizeof(r->id->events), "%s", events);
	memcpy(r->id->server_key, server_key, SOCK_KEY_LEN);
	if ((rc = identity_save(r->id, dir, why)) < 0)
		return rc;
	snprintf(log, sizeof(log), "%s/node.log", dir);
	return child_node(&r->node, dir, log, NULL, why);
}

double
fleet_real_cpu(const struct fleet_real *r)
{
	return r->node.pid > 0 ? stat_cpu(r->node.pid) : 0;
}

void
fleet_real_stop(struct fleet_real *r)
{
	child_stop(&r->node);
}

int
fleet_real_check(struct fleet_real *r, struct diag *why)
{
	char sender[SET_ADDRESS_MAX], text[512], answer[512] = "";
	int fd, rc = 0;
	ssize_t n = 0;

	if (r->pushed == 0)
		set_sender(r->set, 0, true, sender);
	else
		set_new_sender(r->pushed, sender);
	snprintf(text, sizeof(text), "request=smtpd_access_policy\n"
	    "protocol_state=RCPT\nprotocol_name=ESMTP\n"
	    "client_address=198.51.100.7\nclient_name=mail.client.example\n"
	    "instance=1\nsender=%s\nrecipient=x@d00000.acme.example\n\n",
	    sender);
	if ((fd = net_connect(r->node.unix_address, 0, why)) < 0)
		return fd;
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		n = read(fd, answer, sizeof(answer) - 1);
	close(fd);
	if (n <= 0 || strstr(answer, "action=5") == NULL)
		rc = diag_set(why, ERR_INTERNAL, "the real node says it is at "
		    "version %llu and does not refuse %s: %s",
		    (unsigned long long)r->head.version, sender, answer);
	return rc;
}
