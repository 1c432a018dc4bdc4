/*
 * file.h - files and folders that survive a crash.
 *
 * A file is written aside, synced, renamed into place, and its folder
 * synced.  All functions block.  why names the path and what to do.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/buf.h"
#include "proto/base/diag.h"

/* Replace path as a whole with data.  0, ERR_FULL, ERR_IO. */
int file_write(const char *path, const void *data, size_t len, mode_t mode,
    struct diag *why);

/* Append the whole file to out.  0, ERR_NOENT, ERR_TOOBIG above max, ERR_IO. */
int file_read(const char *path, size_t max, struct buf *out,
    struct diag *why);

/* As file_read, but ERR_AUTH unless owner is us and mode has no group/other
 * bits: for keys and tokens. */
int file_read_secret(const char *path, size_t max, struct buf *out,
    struct diag *why);

/* Make dir and its parents with mode; an existing folder is fine. */
int file_mkdirs(const char *dir, mode_t mode, struct diag *why);

/*
 * Take the advisory lock of a data folder (dir/LOCK.pid holds our pid).
 * 0 and a descriptor in *fd (closing it releases), ERR_BUSY with the other
 * process's id in why, or ERR_IO.
 */
int file_lock_dir(const char *dir, int *fd, struct diag *why);

/* Remove dir and all below it; a missing one is fine. */
int file_remove_tree(const char *dir, struct diag *why);

/* Sync the folder itself, after a rename or unlink in it. */
int file_sync_dir(const char *dir, struct diag *why);

/* Free bytes for us on the file system of dir. */
int file_free_space(const char *dir, uint64_t *out, struct diag *why);

/* Make sure a file of len bytes of real blocks stands at path (a ballast
 * that can be removed to get room on a full disk).  0, ERR_FULL, ERR_IO. */
int file_ballast(const char *path, size_t len, struct diag *why);

#endif
