/*
 * keeper.c - the thread of the slow chores, and what it does in a step.
 */
#include "controller/keeper.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/audit.h"
#include "controller/keyring.h"
#include "controller/messages/messages.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#define STEP_S 1
#define MESSAGES_EACH_S 60	/* unless there is more to delete */
#define MESSAGES_STEP 2000
#define KEYS_EACH_S 3600
#define AUDIT_EACH_S 86400	/* each time adds an entry */
#define AUDIT_STEP 2000
#define DAY_US ((int64_t)86400 * 1000000)

struct keeper {
	struct keeper_conf conf;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stop;
	char *from;		/* where the walk over the items goes on */
	unsigned until_messages, until_keys, until_audit;	/* steps */
};

static bool
is_over(const struct item *it, int64_t now_us)
{
	const char *until;
	json_t *o;
	int64_t at;
	bool over;

	if (it->value[0] == '{' && it->value[1] == '}')
		return false;
	o = json_loads(it->value, 0, NULL);
	until = json_string_value(json_object_get(o, "until"));
	over = until != NULL && clock_parse(until, &at) == 0 && at <= now_us;
	json_decref(o);
	return over;
}

int
keeper_expire_entries(struct store *s, int64_t now_us, char **from,
    size_t *ended, struct diag *why)
{
	const struct audit_entry e = { .role = "controller",
	    .action = "group.expire" };
	const struct commit info = { .actor = "expiry", .action = "group",
	    .message = "their time was over", .audit = &e };
	struct change ch = { 0 };
	struct items_cursor cur;
	const struct item *it;
	uint64_t version;
	size_t seen = 0;
	int rc;

	it = items_from(&cur, store_items(s), "entry" ITEM_SEP_S,
	    *from == NULL ? "entry" ITEM_SEP_S : *from);
	for (; it != NULL && seen < KEEPER_WALK && ch.n < KEEPER_ENDS_MAX;
	    it = items_next(&cur), seen++) {
		if (is_over(it, now_us))
			change_add(&ch, it->key, it, NULL, NULL);
	}
	free(*from);
	*from = it == NULL ? NULL : xstrdup(it->key);
	*ended = ch.n;
	rc = store_commit(s, &ch, &info, &version, why);
	change_fini(&ch);
	return rc;
}

static void
expire_entries(struct keeper *k)
{
	struct diag why;
	size_t n = 0;
	int rc;

	pthread_mutex_lock(k->conf.lock);
	rc = keeper_expire_entries(k->conf.store, clock_wall_us(), &k->from,
	    &n, &why);
	if (rc == 0 && n > 0 && k->conf.on_commit != NULL)
		k->conf.on_commit(k->conf.arg);
	pthread_mutex_unlock(k->conf.lock);
	if (rc < 0)
		log_error("entries.expiry_failed", F_S("reason", why.text));
	else if (n > 0)
		log_info("entries.expired", F_I("n", (int64_t)n));
}

static void
expire_messages(struct keeper *k)
{
	struct diag why;
	size_t n = 0;
	int rc;

	if (k->conf.message_days == 0)
		return;
	if (k->until_messages > 0) {
		k->until_messages--;
		return;
	}
	rc = messages_expire(k->conf.messages, clock_wall_us() -
	    k->conf.message_days * DAY_US, MESSAGES_STEP, &n, &why);
	if (rc < 0)
		log_error("messages.expiry_failed", F_S("reason", why.text));
	if (rc < 0 || n < MESSAGES_STEP)
		k->until_messages = MESSAGES_EACH_S / STEP_S;
}

bool
keeper_cut_audit(struct store *s, int64_t days, int64_t now_us)
{
	struct diag why;
	uint64_t n;
	int rc = store_audit_cut(s, now_us - days * DAY_US, AUDIT_STEP, &n,
	    &why);

	if (rc < 0)
		log_error("audit.cut_failed", F_S("reason", why.text));
	else if (n > 0)
		log_info("audit.cut", F_U("n", n));
	return rc == 0 && n == AUDIT_STEP;
}

static void
cut_audit(struct keeper *k)
{
	bool more;

	if (k->conf.audit_days == 0)
		return;
	if (k->until_audit > 0) {
		k->until_audit--;
		return;
	}
	pthread_mutex_lock(k->conf.lock);
	more = keeper_cut_audit(k->conf.store, k->conf.audit_days,
	    clock_wall_us());
	pthread_mutex_unlock(k->conf.lock);
	if (!more)
		k->until_audit = AUDIT_EACH_S / STEP_S;
}

bool
keeper_renew_key(struct keyring *k, int64_t now_us)
{
	int64_t left = keyring_days(k, now_us);
	struct diag why;
	int rc;

	if (!keyring_is_due(k, now_us))
		return false;
	if (!keyring_has_root_key(k)) {
		log_warning("key.ends", F_I("days", left), F_S("reason",
		    "nodes take no policy signed after that: run \"postern "
		    "key rotate\" with the root key"));
		return false;
	}
	rc = keyring_rotate(k, now_us, SIGNER_DAYS, false, &why);
	if (rc < 0)
		log_error("key.rotation_failed", F_S("reason", why.text));
	else
		log_info("key.rotated", F_U("serial",
		    signer_about(keyring_signer(k))->serial));
	return rc == 0;
}

static void
note_renewal(struct keeper *k)
{
	struct audit_entry e = { .actor = "renewal", .role = "controller",
	    .action = "key.rotate" };
	char object[48];
	struct diag why;

	snprintf(object, sizeof(object), "serial %llu", (unsigned long long)
	    signer_about(keyring_signer(k->conf.keys))->serial);
	e.object = object;
	if (store_audit(k->conf.store, &e, &why) < 0)
		log_error("audit.failed", F_S("action", e.action),
		    F_S("reason", why.text));
}

static void
renew_key(struct keeper *k)
{
	if (k->conf.keys == NULL)
		return;
	if (k->until_keys > 0) {
		k->until_keys--;
		return;
	}
	pthread_mutex_lock(k->conf.lock);
	if (keeper_renew_key(k->conf.keys, clock_wall_us())) {
		note_renewal(k);
		if (k->conf.on_rekey != NULL)
			k->conf.on_rekey(k->conf.arg);
	}
	pthread_mutex_unlock(k->conf.lock);
	k->until_keys = KEYS_EACH_S / STEP_S;
}

/* Wait a step; false: it is time to end. */
static bool
pause_step(struct keeper *k)
{
	struct timespec end;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += STEP_S;
	pthread_mutex_lock(&k->mutex);
	while (!k->stop && pthread_cond_timedwait(&k->wake, &k->mutex,
	    &end) == 0)
		;
	stop = k->stop;
	pthread_mutex_unlock(&k->mutex);
	return !stop;
}

static void *
run(void *arg)
{
	struct keeper *k = arg;

	do {
		expire_entries(k);
		expire_messages(k);
		cut_audit(k);
		renew_key(k);
	} while (pause_step(k));
	return NULL;
}

int
keeper_start(struct keeper **out, const struct keeper_conf *conf,
    struct diag *why)
{
	struct keeper *k = xcalloc(1, sizeof(*k));
	pthread_condattr_t attr;

	*out = NULL;
	k->conf = *conf;
	pthread_mutex_init(&k->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&k->thread, NULL, run, k) != 0) {
		pthread_cond_destroy(&k->wake);
		pthread_mutex_destroy(&k->mutex);
		free(k);
		return diag_set(why, ERR_INTERNAL, "cannot start a thread");
	}
	*out = k;
	return 0;
}

void
keeper_stop(struct keeper **kp)
{
	struct keeper *k = *kp;

	if (k == NULL)
		return;
	pthread_mutex_lock(&k->mutex);
	k->stop = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->mutex);
	pthread_join(k->thread, NULL);
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->mutex);
	free(k->from);
	free(k);
	*kp = NULL;
}
