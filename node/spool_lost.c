/*
 * spool_lost.c - the page that keeps the count of lost events.
 */
#include "node/spool_lost.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/base/log.h"

#define SLOT_LEN 24
#define SLOT_APART (SPOOL_LOST_LEN / 2)

static void
slot_make(uint8_t slot[SLOT_LEN], const uint8_t key[SPOOL_KEY_LEN],
    uint64_t turn, uint64_t n)
{
	struct buf b;

	buf_init(&b, 0);
	buf_put_u64(&b, turn);
	buf_put_u64(&b, n);
	memcpy(slot, b.data, 16);
	crypto_shorthash(slot + 16, slot, 16, key);
	buf_fini(&b);
}

/* True when the slot is whole. */
static bool
slot_read(int fd, unsigned i, const uint8_t key[SPOOL_KEY_LEN],
    uint64_t *turn, uint64_t *n)
{
	uint8_t slot[SLOT_LEN], hash[8];
	struct bytes b = bytes_of(slot, sizeof(slot));

	if (pread(fd, slot, sizeof(slot), (off_t)i * SLOT_APART) !=
	    (ssize_t)sizeof(slot))
		return false;
	crypto_shorthash(hash, slot, 16, key);
	*turn = bytes_u64(&b);
	*n = bytes_u64(&b);
	return memcmp(hash, slot + 16, sizeof(hash)) == 0 && *turn % 2 == i;
}

/* A page that says 0, its blocks really there. */
static int
page_make(const char *path, const uint8_t key[SPOOL_KEY_LEN],
    struct diag *why)
{
	uint8_t page[SPOOL_LOST_LEN] = { 0 };

	slot_make(page, key, 0, 0);
	slot_make(page + SLOT_APART, key, 1, 0);
	return file_write(path, page, sizeof(page), 0600, why);
}

int
spool_lost_open(struct spool_lost *page, const char *dir,
    const uint8_t key[SPOOL_KEY_LEN], uint64_t *n, struct diag *why)
{
	char path[1100];
	uint64_t turn, v;
	struct stat st;
	unsigned i;
	bool any = false;
	int rc;

	*n = 0;
	page->turn = 0;
	snprintf(path, sizeof(path), "%s/lost", dir);
	if ((stat(path, &st) < 0 || st.st_size != SPOOL_LOST_LEN) &&
	    (rc = page_make(path, key, why)) < 0)
		return rc;
	page->fd = open(path, O_RDWR | O_CLOEXEC);
	if (page->fd < 0)
		return diag_set(why, err_from_errno(errno), "%s: %s", path,
		    strerror(errno));
	for (i = 0; i < 2; i++) {
		if (!slot_read(page->fd, i, key, &turn, &v))
			continue;
		if (!any || turn > page->turn) {
			page->turn = turn;
			*n = v;
		}
		any = true;
	}
	if (!any)
		log_error("spool.count_unreadable", F_S("file", path),
		    F_S("now", "counting lost events from 0"));
	return 0;
}

void
spool_lost_close(struct spool_lost *page)
{
	if (page->fd >= 0)
		close(page->fd);
	page->fd = -1;
}

int
spool_lost_put(struct spool_lost *page, const uint8_t key[SPOOL_KEY_LEN],
    uint64_t n)
{
	uint64_t turn = page->turn + 1;
	uint8_t slot[SLOT_LEN];
	ssize_t put;

	slot_make(slot, key, turn, n);
	put = pwrite(page->fd, slot, sizeof(slot),
	    (off_t)(turn % 2) * SLOT_APART);
	if (put != (ssize_t)sizeof(slot))
		return put < 0 ? err_from_errno(errno) : ERR_IO;
	page->turn = turn;
	return fdatasync(page->fd) == 0 ? 0 : err_from_errno(errno);
}
