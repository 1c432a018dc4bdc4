/*
 * thread.h - threads that have a name, and a share of the processor.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/*
 * Start run(arg) on a thread that ps and perf show as name (15 bytes count),
 * niced by `nice` (0 to 19) against the rest of the process; what it starts
 * inherits that, the threads of libraries included.  The caller joins it.  0,
 * or ERR_IO: no thread to be had.
 */
int thread_start(pthread_t *out, const char *name, int nice,
    void *(*run)(void *), void *arg);

#endif
