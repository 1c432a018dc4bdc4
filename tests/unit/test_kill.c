/*
 * test_kill.c - a process killed at each of its writes while it opens a set
 * and takes deltas; reopened, the set stands at a version that it was told
 * of, and every key of it is found: the filter denies none.
 */
#include "tests/unit/delta_fixture.h"
#include "tests/unit/kill_calls.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "node/sets.h"

#define STEPS 3			/* deltas, from version 8 on */
#define CALLS_MAX 2000

/* What a version holds, and a key that it does not. */
struct model {
	struct buf key[FIXTURE_RECORDS], val[FIXTURE_RECORDS];
	size_t n;
	struct head head;
	const char *absent;
};

struct plan {
	struct fixture *x;
	char path[512];
	struct model model[STEPS + 1];
	struct buf frame[STEPS];
	_Atomic uint64_t *told;		/* shared: the last version applied */
};

static void
remember(struct plan *p, int i, const char *absent)
{
	struct model *m = &p->model[i];

	for (m->n = 0; m->n < p->x->n; m->n++) {
		const struct fixture_record *r = &p->x->r[m->n];

		buf_init(&m->key[m->n], 0);
		buf_init(&m->val[m->n], 0);
		buf_put(&m->key[m->n], r->key.data, r->key.len);
		buf_put(&m->val[m->n], r->val.data, r->val.len);
	}
	m->head = p->x->head;
	m->absent = absent;
}

static void
make_plan(struct plan *p, struct fixture *x)
{
	static struct change step[STEPS][3] = {
		{ { "Dk8@acme.example", "\1" }, { "Fmail.example", "" },
		    { "Dbo@acme.example", NULL } },
		{ { "Dk8@acme.example", "\2" }, { "Ek9.example", "01234567" },
		    { "La9@acme.example", "al@acme.example" } },
		{ { "Dk8@acme.example", NULL }, { "Ek10.example", "01234567" },
		    { "Podd", NULL } },
	};
	static const char *const absent[] = { "Dk8@acme.example",
	    "Dbo@acme.example", "Ek10.example", "Dk8@acme.example" };
	struct diag why = { "" };
	int i;

	memset(p, 0, sizeof(*p));
	p->x = x;
	snprintf(p->path, sizeof(p->path), "%s/set", x->dir);
	if (fixture_build(x, p->path, &why) < 0)
		fail_msg("%s", why.text);
	remember(p, 0, absent[0]);
	for (i = 0; i < STEPS; i++) {
		buf_init(&p->frame[i], 0);
		fixture_change(x, 8 + (uint64_t)i, step[i], 3, &p->frame[i]);
		remember(p, i + 1, absent[i + 1]);
	}
	p->told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED |
	    MAP_ANONYMOUS, -1, 0);
	assert_true(p->told != MAP_FAILED);
}

static void
end_plan(struct plan *p)
{
	size_t j;
	int i;

	for (i = 0; i <= STEPS; i++) {
		for (j = 0; j < p->model[i].n; j++) {
			buf_fini(&p->model[i].key[j]);
			buf_fini(&p->model[i].val[j]);
		}
	}
	for (i = 0; i < STEPS; i++)
		buf_fini(&p->frame[i]);
	munmap((void *)p->told, 4096);
}

/* Open and apply what is missing; false when something was refused. */
static bool
go_to_the_end(struct plan *p)
{
	struct ruleset_refusal refusal;
	struct ruleset *r = NULL;
	struct diag why;
	int i;

	if (ruleset_open(&r, p->path, p->x->id->root, &why) < 0)
		return false;
	atomic_store(p->told, ruleset_head(r)->version);
	for (i = 0; i < STEPS; i++) {
		if (ruleset_head(r)->version >= 8 + (uint64_t)i)
			continue;
		if (fixture_apply(p->x, &r, &p->frame[i], &refusal, &why) < 0)
			break;
		atomic_store(p->told, ruleset_head(r)->version);
	}
	ruleset_unref(&r);
	return i == STEPS;
}

/* Run fn in a child that is killed at call n; true when it came through. */
static bool
run_killed(struct plan *p, bool (*fn)(struct plan *p), int n)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		kill_at = n;
		_exit(fn(p) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

/* The set opens, at a version from `least` on, and is that version's. */
static void
check_set(struct plan *p, uint64_t least)
{
	const struct model *m = NULL;
	struct ruleset *r = NULL;
	struct diag why = { "" };
	struct buf scratch;
	struct bytes v;
	size_t i;

	if (ruleset_open(&r, p->path, p->x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	assert_in_range(ruleset_head(r)->version, least, 7 + STEPS);
	m = &p->model[ruleset_head(r)->version - 7];
	assert_memory_equal(ruleset_head(r)->digest, m->head.digest,
	    DIGEST_LEN);
	buf_init(&scratch, 0);
	for (i = 0; i < m->n; i++) {
		assert_int_equal(ruleset_get(r, m->key[i].data, m->key[i].len,
		    &scratch, &v), 0);
		assert_int_equal(v.n, m->val[i].len);
		if (v.n > 0)
			assert_memory_equal(v.p, m->val[i].data, v.n);
	}
	assert_int_equal(ruleset_get(r, m->absent, strlen(m->absent),
	    &scratch, &v), ERR_NOENT);
	buf_fini(&scratch);
	ruleset_unref(&r);
}

static void
remove_part(struct plan *p, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", p->path, name);
	assert_int_equal(file_remove_tree(path, NULL), 0);
}

static void
killed_at_any_write_of_a_delta_no_key_is_denied(void **state)
{
	struct plan p;
	bool whole = false;
	int n;

	make_plan(&p, *state);
	for (n = 1; !whole && n < CALLS_MAX; n++) {
		/* from the base on: the copy's making is killed as well */
		remove_part(&p, "live");
		if (n % 2 == 0)
			remove_part(&p, "filter");
		atomic_store(p.told, 7);
		whole = run_killed(&p, go_to_the_end, n);
		check_set(&p, atomic_load(p.told));
		assert_true(go_to_the_end(&p));
		check_set(&p, 7 + STEPS);
	}
	print_message("killed at each of %d calls\n", n - 2);
	assert_true(whole);
	assert_true(n > 20);
	end_plan(&p);
}

static bool
rewind_to_9(struct plan *p)
{
	struct ruleset *r = NULL;
	struct diag why;

	if (ruleset_rewind(p->path, fixture_trust(p->x), 9, &r, &why) < 0 ||
	    ruleset_head(r)->version != 9)
		return false;
	ruleset_unref(&r);
	return true;
}

static void
killed_at_any_write_of_a_rewind_the_next_one_comes_through(void **state)
{
	struct plan p;
	bool whole = false;
	int n;

	make_plan(&p, *state);
	for (n = 1; !whole && n < CALLS_MAX; n++) {
		remove_part(&p, "live");
		remove_part(&p, "live.old");
		assert_true(go_to_the_end(&p));
		whole = run_killed(&p, rewind_to_9, n);
		/* what stands opens as it is, at whatever it has come to */
		check_set(&p, 7);
		assert_true(whole || rewind_to_9(&p));
		check_set(&p, 9);
	}
	print_message("killed at each of %d calls\n", n - 2);
	assert_true(whole);
	assert_true(n > 20);
	end_plan(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, \
	fixture_teardown)
		T(killed_at_any_write_of_a_delta_no_key_is_denied),
		T(killed_at_any_write_of_a_rewind_the_next_one_comes_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
