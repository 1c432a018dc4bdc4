/*
 * wait.h - how long a test waits for what must come.
 *
 * Long, for a test that hangs: a machine that is slow or busy with something
 * else is no fault.  What must not come is waited for as briefly as it would
 * take; a machine too slow for that misses a fault, and reports none.
 */
#ifndef TESTS_WAIT_H
#define TESTS_WAIT_H

#define WAIT_MS 60000

#endif
