/*
 * backup.c - copies the store, messages and keys into a folder.
 */
#include "controller/backup.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/auth.h"
#include "controller/backup_impl.h"
#include "proto/base/clock.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/wire/keys.h"

struct backup {
	struct store *store;
	struct messages *messages;
	char dir[1024];
	pthread_t thread;
	atomic_bool stop;
	bool joinable;			/* under the controller's lock */
	struct store_view *view;
	pthread_mutex_t mu;		/* over the status */
	struct backup_status status;
};

struct backup *
backup_new(struct store *s, struct messages *m, const char *dir)
{
	struct backup *b = xcalloc(1, sizeof(*b));

	b->store = s;
	b->messages = m;
	snprintf(b->dir, sizeof(b->dir), "%s", dir);
	pthread_mutex_init(&b->mu, NULL);
	return b;
}

void
backup_free(struct backup **bp)
{
	struct backup *b = *bp;

	if (b == NULL)
		return;
	atomic_store(&b->stop, true);
	if (b->joinable)
		pthread_join(b->thread, NULL);
	pthread_mutex_destroy(&b->mu);
	free(b);
	*bp = NULL;
}

int
backup_copy_file(const char *from, const char *to, struct diag *why)
{
	struct stat st;
	struct buf data;
	int rc;

	buf_init(&data, BACKUP_FILE_MAX);
	rc = file_read(from, BACKUP_FILE_MAX, &data, why);
	if (rc == 0)
		rc = file_write(to, data.data == NULL ? "" : data.data,
		    data.len, stat(from, &st) == 0 ? st.st_mode & 0700 : 0600,
		    why);
	if (data.data != NULL)
		sodium_memzero(data.data, data.len);
	buf_fini(&data);
	return rc;
}

int
backup_copy_token(const char *from, const char *to, struct diag *why)
{
	char a[BACKUP_PATH], b[BACKUP_PATH];
	int rc;

	snprintf(a, sizeof(a), "%s/" AUTH_TOKEN_FILE, from);
	snprintf(b, sizeof(b), "%s/" AUTH_TOKEN_FILE, to);
	rc = backup_copy_file(a, b, why);
	return rc == ERR_NOENT ? 0 : rc;
}

int
backup_copy_folder(const char *from, const char *to, struct diag *why)
{
	struct dirent *e;
	DIR *d;
	int rc = file_mkdirs(to, 0700, why);

	if (rc < 0)
		return rc;
	if ((d = opendir(from)) == NULL)
		return diag_set(why, err_from_errno(errno), "%s: %s", from,
		    strerror(errno));
	while (rc == 0 && (e = readdir(d)) != NULL) {
		char a[BACKUP_PATH], b[BACKUP_PATH];

		if (e->d_name[0] == '.')
			continue;
		snprintf(a, sizeof(a), "%s/%s", from, e->d_name);
		snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
		rc = backup_copy_file(a, b, why);
	}
	closedir(d);
	return rc;
}

/* Written last: with it the folder is a backup. */
static int
write_mark(const struct head *h, const char *to, struct diag *why)
{
	char hex[DIGEST_LEN * 2 + 1], now[CLOCK_TEXT_LEN];
	char path[BACKUP_PATH], *text;
	json_t *o;
	int rc;

	hex_format(h->digest, DIGEST_LEN, hex);
	clock_format(clock_wall_us(), now);
	o = json_pack("{s:I, s:s, s:I, s:s, s:s}", "version",
	    (json_int_t)h->version, "digest", hex, "records",
	    (json_int_t)h->count, "time", now, "controller", conf_version());
	text = json_dumps(o, JSON_COMPACT);
	snprintf(path, sizeof(path), "%s/BACKUP", to);
	rc = file_write(path, text, strlen(text), 0600, why);
	free(text);
	json_decref(o);
	return rc;
}

static int
copy_all(struct backup *b, const char *to, struct diag *why)
{
	char from[BACKUP_PATH], path[BACKUP_PATH];
	int rc;

	if ((rc = store_view_copy(b->view, to, &b->stop, why)) < 0)
		return rc;
	snprintf(path, sizeof(path), "%s/messages", to);
	if ((rc = messages_copy(b->messages, path, &b->stop, why)) < 0)
		return rc;
	snprintf(from, sizeof(from), "%s/keys", b->dir);
	snprintf(path, sizeof(path), "%s/keys", to);
	if ((rc = backup_copy_folder(from, path, why)) < 0 ||
	    (rc = backup_copy_token(b->dir, to, why)) < 0)
		return rc;
	return write_mark(store_view_head(b->view), to, why);
}

static void *
run(void *arg)
{
	struct backup *b = arg;
	struct diag why = { "" };
	int rc = copy_all(b, b->status.to, &why);

	if (rc < 0)
		log_error("backup.failed", F_S("to", b->status.to),
		    F_S("reason", why.text));
	else
		log_info("backup.written", F_S("to", b->status.to),
		    F_U("version", b->status.version));
	store_view_free(&b->view);
	pthread_mutex_lock(&b->mu);
	b->status.running = false;
	b->status.rc = rc;
	b->status.why = why;
	pthread_mutex_unlock(&b->mu);
	return NULL;
}

static int
make_folder(const char *to, struct diag *why)
{
	if (to[0] != '/' || strlen(to) >= sizeof(((struct backup *)0)->dir))
		return diag_set(why, ERR_INVAL, "\"%.200s\" is no absolute "
		    "path of a folder", to);
	if (mkdir(to, 0700) == 0)
		return 0;
	if (errno == EEXIST)
		return diag_set(why, ERR_EXISTS, "%s is there already: name "
		    "a new folder", to);
	return diag_set(why, ERR_INVAL, "%s: %s", to, strerror(errno));
}

int
backup_begin(struct backup *b, const char *to, struct diag *why)
{
	struct backup_status now;
	int rc;

	backup_status(b, &now);
	if (now.running)
		return diag_set(why, ERR_BUSY, "a backup is being written to "
		    "%s", now.to);
	if ((rc = make_folder(to, why)) < 0)
		return rc;
	if (b->joinable)
		pthread_join(b->thread, NULL);
	b->view = store_view_new(b->store);
	pthread_mutex_lock(&b->mu);
	memset(&b->status, 0, sizeof(b->status));
	snprintf(b->status.to, sizeof(b->status.to), "%s", to);
	b->status.version = store_view_head(b->view)->version;
	b->status.running = true;
	pthread_mutex_unlock(&b->mu);
	b->joinable = pthread_create(&b->thread, NULL, run, b) == 0;
	if (b->joinable)
		return 0;
	store_view_free(&b->view);
	pthread_mutex_lock(&b->mu);
	b->status.running = false;
	b->status.rc = diag_set(&b->status.why, ERR_IO, "no thread left");
	pthread_mutex_unlock(&b->mu);
	return diag_set(why, ERR_IO, "no thread left");
}

void
backup_status(struct backup *b, struct backup_status *out)
{
	pthread_mutex_lock(&b->mu);
	*out = b->status;
	pthread_mutex_unlock(&b->mu);
}
