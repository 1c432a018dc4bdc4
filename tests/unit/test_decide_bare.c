/*
 * test_decide_bare.c - a request that finds nothing is answered without
 * memory, a lock or a system call.
 *
 * The calls are counted where they enter libc, and a kernel filter ends the
 * process at any system call.  What the filter of the set cannot tell (about
 * one key in 250) is looked up in the database, which locks: such a request
 * finds nothing as well, and is left out.
 */
#include "tests/unit/node_fixture.h"

#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "node/policy_front.h"
#include "proto/base/file.h"

#define SENDERS 1000
#define USERS 200
#define POLICIES 20

/* --- what is counted ------------------------------------------------------ */

static struct { unsigned long memory, locks; } calls;

#if defined(__SANITIZE_ADDRESS__)
/* AddressSanitizer has the allocator, and tells. */
void __sanitizer_malloc_hook(const volatile void *p, size_t len);
void
__sanitizer_malloc_hook(const volatile void *p, size_t len)
{
	(void)p;
	(void)len;
	calls.memory++;
}
#else
extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *p, size_t len);

void *
malloc(size_t len)
{
	calls.memory++;
	return __libc_malloc(len);
}

void *
calloc(size_t n, size_t len)
{
	calls.memory++;
	return __libc_calloc(n, len);
}

void *
realloc(void *p, size_t len)
{
	calls.memory++;
	return __libc_realloc(p, len);
}
#endif

int
pthread_mutex_lock(pthread_mutex_t *m)
{
	static int (*real)(pthread_mutex_t *m);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	calls.locks++;
	return real(m);
}

/* From now on any system call but the end of the process ends it.  Reading a
 * clock is none where the kernel maps it, and not ours where it does not. */
static void
forbid_system_calls(void)
{
	struct sock_filter rule[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = {
		.len = sizeof(rule) / sizeof(rule[0]), .filter = rule };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(2);
}

/* Not _exit(): before what never returns AddressSanitizer calls the system. */
static void
leave(int status)
{
	syscall(SYS_exit_group, status);
}

/* --- a node without its sockets ------------------------------------------- */

struct room {
	struct fixture *x;
	struct ruleset *r;
	struct metrics m;
	struct host host;
	struct sentry *sentry;
	void *conn;
	struct buf out;
	char text[1024];
	unsigned events;
	bool bare[SENDERS];
};

static struct ruleset *
view(void *arg)
{
	struct room *o = arg;

	return o->r;
}

static uint64_t
record(void *arg, const struct event *e)
{
	struct room *o = arg;

	(void)e;
	return ++o->events;
}

/* A request as Postfix sends it, whole. */
static size_t
write_request(struct room *o, const char *sender, const char *rcpt)
{
	return (size_t)snprintf(o->text, sizeof(o->text),
	    "request=smtpd_access_policy\nprotocol_state=RCPT\n"
	    "protocol_name=ESMTP\nclient_address=198.51.100.7\n"
	    "client_name=mail.client.example\nclient_port=38070\n"
	    "reverse_client_name=mail.client.example\n"
	    "server_address=192.0.2.25\nserver_port=25\n"
	    "helo_name=mail.client.example\nsender=%s\nrecipient=%s\n"
	    "recipient_count=0\nqueue_id=\ninstance=8e.6b0476e9.1.0\n"
	    "size=0\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\n"
	    "policy_context=rcpt\n\n", sender, rcpt);
}

static bool
passes(struct room *o, size_t len)
{
	struct front_take t = { .data = o->text, .len = len, .out = &o->out };

	buf_reset(&o->out);
	return policy_protocol.take(o->conn, &t, NULL) == 0 &&
	    t.used == len && o->out.len == 14 &&
	    memcmp(o->out.data, "action=DUNNO\n\n", 14) == 0;
}

static size_t
miss(struct room *o, size_t n)
{
	char sender[64];

	snprintf(sender, sizeof(sender), "News%zu@list.Far%zu.example", n,
	    n);
	return write_request(o, sender, "someone@any.example");
}

static bool
did_nothing(void)
{
	return calls.memory == 0 && calls.locks == 0;
}

/* Policies for all classes of keys, and people's own lists. */
static void
add_records(struct fixture *x)
{
	static const uint8_t any[1] = { VALIDATE_ANY };
	static const uint8_t block[5] = { USER_BLOCK, 0, 0, 0, 1 };
	struct policy p = { .narrative = fixture_str("More"),
	    .type = POLICY_BLOCKED_SENDERS, .action = ACTION_BLOCK,
	    .based_on = BASED_ENVELOPE, .to = { .kind = TARGET_INTERNAL },
	    .enabled = true, .valid_from_us = INT64_MIN,
	    .valid_until_us = INT64_MAX };
	char id[32], text[64];
	int i;

	fixture_text(x, RECORD_INTERNAL, "any.example", any, 1);
	for (i = 0; i < POLICIES; i++) {
		snprintf(id, sizeof(id), "more%d", i);
		snprintf(text, sizeof(text), i % 2 == 0 ?
		    "u%d@bad.example" : "d%d.bad.example", i);
		p.id = id;
		p.from.kind = i % 2 == 0 ? TARGET_ADDRESS : TARGET_DOMAIN;
		p.from.text = text;
		fixture_policy(x, &p);
	}
	for (i = 0; i < USERS; i++) {
		struct fixture_record *r = fixture_add(x);

		snprintf(id, sizeof(id), "u%d@any.example", i);
		record_key_user(&r->key, id, "x@y.example");
		buf_put(&r->val, block, sizeof(block));
	}
}

static int
setup(void **state)
{
	struct room *o = xcalloc(1, sizeof(*o));
	struct decide_conf conf = { .on_error = FALLBACK_DEFER };
	struct diag why = { "" };
	void *fixture;
	char path[512];

	fixture_setup(&fixture);
	o->x = fixture;
	add_records(o->x);
	fixture_publish(o->x, 8);
	snprintf(path, sizeof(path), "%s/set", o->x->dir);
	if (fixture_build(o->x, path, &why) < 0 || ruleset_open(&o->r, path,
	    o->x->id->root, &why) < 0 || sentry_open(&o->sentry, o->x->dir,
	    clock_wall_us(), &why) < 0)
		fail_msg("%s", why.text);
	conf.sentry = o->sentry;
	o->host = (struct host){ .arg = o, .view = view, .record = record,
	    .decider = decide_new(&conf, &o->m), .metrics = &o->m };
	o->conn = policy_protocol.open(&o->host, "local");
	buf_init(&o->out, 0);
	*state = o;
	return 0;
}

static int
teardown(void **state)
{
	struct room *o = *state;
	void *fixture = o->x;

	policy_protocol.close(o->conn);
	decide_free(&o->host.decider);
	sentry_close(&o->sentry);
	ruleset_unref(&o->r);
	buf_fini(&o->out);
	free(o);
	return fixture_teardown(&fixture);
}

/* --- what holds ----------------------------------------------------------- */

static void
request_that_finds_nothing_takes_no_memory_and_no_lock(void **state)
{
	struct room *o = *state;
	size_t i, n = 0;

	assert_true(passes(o, miss(o, SENDERS)));	/* buffers grow */
	for (i = 0; i < SENDERS; i++) {
		size_t len = miss(o, i);

		memset(&calls, 0, sizeof(calls));
		assert_true(passes(o, len));
		o->bare[i] = did_nothing();
		n += o->bare[i];
	}
	assert_int_equal(o->events, 0);
	/* Of some ten keys each is unclear once in 250 times: 960 are
	 * expected, with a deviation of 6. */
	assert_in_range(n, 850, SENDERS);
}

/* Ask all that are known to be bare, in a process that may do nothing. */
static int
ask_confined(struct room *o, bool disobey)
{
	pid_t pid = fork();
	int status;
	size_t i;

	if (pid == 0) {
		forbid_system_calls();
		for (i = 0; i < SENDERS; i++) {
			if (o->bare[i] && !passes(o, miss(o, i)))
				leave(1);
		}
		if (disobey)
			getppid();
		leave(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
request_that_finds_nothing_makes_no_system_call(void **state)
{
	struct room *o = *state;
	int status = ask_confined(o, false);

	if (WIFSIGNALED(status))
		fail_msg("ended by signal %d: a system call",
		    WTERMSIG(status));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The twins: what is counted, counts, and what is forbidden, ends.  Without
 * its base/ a set is read through LevelDB. */
static void
request_that_is_looked_up_is_counted(void **state)
{
	struct room *o = *state;
	size_t len = write_request(o, "x@y.example", "al@acme.example");
	char path[512], base[520];
	int status;

	snprintf(path, sizeof(path), "%s/set", o->x->dir);
	snprintf(base, sizeof(base), "%s/base", path);
	ruleset_unref(&o->r);
	assert_int_equal(file_remove_tree(base, NULL), 0);
	assert_int_equal(ruleset_open(&o->r, path, o->x->id->root, NULL), 0);
	memset(&calls, 0, sizeof(calls));
	assert_false(passes(o, len));
	assert_int_equal(o->events, 1);
	assert_true(calls.locks > 0);
	assert_true(calls.memory > 0);
	status = ask_confined(o, true);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    request_that_finds_nothing_takes_no_memory_and_no_lock),
		cmocka_unit_test(
		    request_that_finds_nothing_makes_no_system_call),
		cmocka_unit_test(request_that_is_looked_up_is_counted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
