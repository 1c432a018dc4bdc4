/*
 * file.c - files and folders that survive a crash.
 */
#include "proto/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "proto/base/err.h"

/* errno as one of the codes that file.h promises. */
static int
fail(struct diag *why, const char *what, const char *path)
{
	int saved = errno;

	return diag_set(why, err_from_errno(saved) == ERR_FULL ? ERR_FULL :
	    ERR_IO, "%s %s: %s", what, path, strerror(saved));
}

static int
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
file_sync_dir(const char *dir, struct diag *why)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return fail(why, "cannot open folder", dir);
	if (fsync(fd) < 0)
		rc = fail(why, "cannot sync folder", dir);
	close(fd);
	return rc;
}

static int
sync_parent(const char *path, struct diag *why)
{
	char *copy = xstrdup(path);
	int rc = file_sync_dir(dirname(copy), why);

	free(copy);
	return rc;
}

int
file_write(const char *path, const void *data, size_t len, mode_t mode,
    struct diag *why)
{
	char tmp[4096];
	int fd, rc = 0;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
		return diag_set(why, ERR_IO, "path too long: %s", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return fail(why, "cannot write", tmp);
	if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0 ||
	    fsync(fd) < 0)
		rc = fail(why, "cannot write", tmp);
	if (close(fd) < 0 && rc == 0)
		rc = fail(why, "cannot write", tmp);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = fail(why, "cannot rename to", path);
	if (rc < 0) {
		unlink(tmp);
		return rc;
	}
	return sync_parent(path, why);
}

static int
read_fd(int fd, const char *path, size_t max, struct buf *out,
    struct diag *why)
{
	char block[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(why, "cannot read", path);
		total += (size_t)n;
		if (total > max) {
			explicit_bzero(block, sizeof(block));
			return diag_set(why, ERR_TOOBIG,
			    "%s is larger than %zu bytes", path, max);
		}
		buf_put(out, block, (size_t)n);
	}
	explicit_bzero(block, sizeof(block));	/* it may have been a key */
	if (out->err != 0)
		return diag_set(why, out->err, "%s: %s", path,
		    err_text(out->err));
	return 0;
}

static int
read_file(const char *path, size_t max, bool secret, struct buf *out,
    struct diag *why)
{
	struct stat st;
	/* a secret is a plain file: do not wait for the writer of a pipe */
	int fd = open(path, O_RDONLY | O_CLOEXEC | (secret ? O_NONBLOCK : 0));
	int rc;

	if (fd < 0) {
		rc = err_from_errno(errno) == ERR_NOENT ? ERR_NOENT : ERR_IO;
		return diag_set(why, rc, "cannot open %s: %s", path,
		    strerror(errno));
	}
	if (fstat(fd, &st) < 0)
		rc = fail(why, "cannot read", path);
	else if (S_ISDIR(st.st_mode) || (secret && !S_ISREG(st.st_mode)))
		rc = diag_set(why, ERR_IO, "%s is not a plain file", path);
	else if (secret && (st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0))
		rc = diag_set(why, ERR_AUTH, "%s holds a secret but others "
		    "may read it: chown it to this user and chmod 600",
		    path);
	else
		rc = read_fd(fd, path, max, out, why);
	close(fd);
	return rc;
}

int
file_read(const char *path, size_t max, struct buf *out, struct diag *why)
{
	return read_file(path, max, false, out, why);
}

int
file_read_secret(const char *path, size_t max, struct buf *out,
    struct diag *why)
{
	return read_file(path, max, true, out, why);
}

int
file_mkdirs(const char *dir, mode_t mode, struct diag *why)
{
	char *path = xstrdup(dir), *p = path;
	struct stat st;
	int rc = 0;

	while (p != NULL && rc == 0) {
		p = *p == '\0' ? NULL : strchr(p + 1, '/');
		if (p != NULL)
			*p = '\0';
		if (mkdir(path, mode) < 0 && (errno != EEXIST ||
		    stat(path, &st) < 0 || !S_ISDIR(st.st_mode)))
			rc = fail(why, "cannot make folder", path);
		if (p != NULL)
			*p = '/';
	}
	free(path);
	return rc;
}

int
file_lock_dir(const char *dir, int *fd, struct diag *why)
{
	char path[4096], pid[32] = "";
	ssize_t n;
	int rc;

	*fd = -1;
	if ((size_t)snprintf(path, sizeof(path), "%s/LOCK.pid", dir) >=
	    sizeof(path))
		return diag_set(why, ERR_IO, "path too long: %s", dir);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return fail(why, "cannot write in data folder:", path);
	if (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK) {
			rc = fail(why, "cannot lock", path);
		} else {
			n = read(*fd, pid, sizeof(pid) - 1);
			pid[n < 0 ? 0 : strcspn(pid, "\n")] = '\0';
			rc = diag_set(why, ERR_BUSY, "data folder %s is in use "
			    "by process %s: stop it or give this one another "
			    "folder", dir, pid);
		}
		goto out;
	}
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(*fd, 0) == 0 && write_all(*fd, pid, strlen(pid)) == 0)
		return 0;
	rc = fail(why, "cannot write", path);
out:
	close(*fd);
	*fd = -1;
	return rc;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

int
file_remove_tree(const char *dir, struct diag *why)
{
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 &&
	    errno != ENOENT)
		return fail(why, "cannot remove", dir);
	return 0;
}

int
file_free_space(const char *dir, uint64_t *out, struct diag *why)
{
	struct statvfs v;

	if (statvfs(dir, &v) < 0)
		return fail(why, "cannot ask for free space of", dir);
	*out = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

int
file_ballast(const char *path, size_t len, struct diag *why)
{
	struct stat st;
	int fd, err;

	if (stat(path, &st) == 0 && (size_t)st.st_size >= len &&
	    (size_t)st.st_blocks * 512 >= len)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(why, "cannot write", path);
	err = posix_fallocate(fd, 0, (off_t)len);
	close(fd);
	if (err != 0) {
		unlink(path);
		errno = err;
		return fail(why, "cannot reserve", path);
	}
	return 0;
}
