/*
 * thread.c - a new thread names and nices itself before it begins.
 */
#include "proto/base/thread.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

struct start {
	char name[16];
	int nice;
	void *(*run)(void *);
	void *arg;
};

static void *
begin(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	pthread_setname_np(pthread_self(), s.name);
	/* Linux has a niceness for each thread; being refused costs little */
	if (s.nice > 0)
		setpriority(PRIO_PROCESS, (id_t)gettid(), s.nice);
	return s.run(s.arg);
}

int
thread_start(pthread_t *out, const char *name, int nice,
    void *(*run)(void *), void *arg)
{
	struct start *s = xcalloc(1, sizeof(*s));

	strncpy(s->name, name, sizeof(s->name) - 1);
	s->nice = nice;
	s->run = run;
	s->arg = arg;
	if (pthread_create(out, NULL, begin, s) == 0)
		return 0;
	free(s);
	return ERR_IO;
}
