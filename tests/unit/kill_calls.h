/*
 * kill_calls.h - a process that is killed at the n-th of its writes to the
 * disk.
 *
 * The program's own write(), fdatasync() and so on stand before the C
 * library's, for LevelDB too: they count, and at the chosen one the process
 * is killed, a write in the middle of its bytes.  For one file of a program.
 */
#ifndef UNIT_KILL_CALLS_H
#define UNIT_KILL_CALLS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int calls;
static int kill_at;		/* 0: never */

static bool
is_due(void)
{
	return kill_at > 0 && atomic_fetch_add(&calls, 1) + 1 == kill_at;
}

static void
die_if_due(void)
{
	if (is_due())
		kill(getpid(), SIGKILL);
}

ssize_t
write(int fd, const void *data, size_t len)
{
	if (fd > 2 && is_due()) {
		syscall(SYS_write, fd, data, len / 2);
		kill(getpid(), SIGKILL);
	}
	return syscall(SYS_write, fd, data, len);
}

int
fsync(int fd)
{
	die_if_due();
	return (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	die_if_due();
	return (int)syscall(SYS_fdatasync, fd);
}

int
rename(const char *from, const char *to)
{
	die_if_due();
	return (int)syscall(SYS_rename, from, to);
}

int
unlink(const char *path)
{
	die_if_due();
	return (int)syscall(SYS_unlink, path);
}

int
link(const char *from, const char *to)
{
	die_if_due();
	return (int)syscall(SYS_link, from, to);
}

#endif
