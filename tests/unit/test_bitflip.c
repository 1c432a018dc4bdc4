/*
 * test_bitflip.c - 2,000 single bits flipped, one at a time, in a set, its
 * delta log, its filter, and a spool: what is read afterwards is right, of an
 * older version that was right, or an error; never anything else, and the
 * process lives.
 *
 * The flips are drawn alike in every run: seed 1 unless BITFLIP_SEED says
 * otherwise, BITFLIP_N of them for more than the usual 2,000 (500 under ASan).
 * The bytes that they hit are signed by other keys each time.  A test that
 * finds nothing damaged is none: more are flipped until each end was met.
 */
#include "tests/unit/delta_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "node/sets.h"
#include "node/spool.h"

#define FILES_MAX 64
#define VERSIONS 5		/* 7 to 11 */
#define SPOOL_EVENTS 300
#define BULK 150		/* records that fill tables */

#if defined(__SANITIZE_ADDRESS__)
#define TRIALS 500
#else
#define TRIALS 2000
#endif
#define ENOUGH 5		/* times that each end must be met */
#define LIMIT 50000		/* flips that must do for that */

/* Files of a folder as they were, to be put back. */
struct kept { char path[600]; ino_t ino; struct buf data; };
struct shelf { struct kept f[FILES_MAX]; size_t n; };

static uint64_t seed = 1;

static uint64_t
random_u64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static long
trials(void)
{
	const char *n = getenv("BITFLIP_N"), *s = getenv("BITFLIP_SEED");

	if (s != NULL)
		seed = strtoull(s, NULL, 10) | 1;
	return n == NULL ? TRIALS : atol(n);
}

static void
keep(struct shelf *s, const char *dir)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	struct stat st;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char path[600];

		if (e->d_name[0] == '.' || strcmp(e->d_name, "LOCK") == 0 ||
		    strncmp(e->d_name, "LOG", 3) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		assert_int_equal(stat(path, &st), 0);
		if (S_ISDIR(st.st_mode)) {
			keep(s, path);
			continue;
		}
		assert_true(s->n < FILES_MAX);
		strcpy(s->f[s->n].path, path);
		s->f[s->n].ino = st.st_ino;
		buf_init(&s->f[s->n].data, 0);
		assert_int_equal(file_read(path, 1 << 24, &s->f[s->n].data,
		    NULL), 0);
		s->n++;
	}
	closedir(d);
}

/* Link file i to an earlier one that it shared its bytes with: a table of
 * base/ is one with that of live/. */
static bool
link_again(const struct shelf *s, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++) {
		if (s->f[j].ino == s->f[i].ino) {
			assert_int_equal(link(s->f[j].path, s->f[i].path), 0);
			return true;
		}
	}
	return false;
}

/* Write all files anew; without syncs, for speed. */
static void
put_back(const struct shelf *s, const char *dir)
{
	size_t i;

	assert_int_equal(file_remove_tree(dir, NULL), 0);
	for (i = 0; i < s->n; i++) {
		char path[600];
		int fd;

		strcpy(path, s->f[i].path);
		*strrchr(path, '/') = '\0';
		assert_int_equal(file_mkdirs(path, 0700, NULL), 0);
		if (link_again(s, i))
			continue;
		fd = open(s->f[i].path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, s->f[i].data.data,
		    s->f[i].data.len), s->f[i].data.len);
		close(fd);
	}
}

static void
forget(struct shelf *s)
{
	while (s->n > 0)
		buf_fini(&s->f[--s->n].data);
}

/* Flip a bit of a file that has any bytes; its name. */
static const char *
flip(const struct shelf *s)
{
	const struct kept *k;
	uint8_t b;
	off_t at;
	int fd;

	do
		k = &s->f[random_u64() % s->n];
	while (k->data.len == 0);
	at = (off_t)(random_u64() % k->data.len);
	fd = open(k->path, O_RDWR);
	if (fd < 0)
		return "";	/* removed by what was opened since */
	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= (uint8_t)(1 << random_u64() % 8);
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	close(fd);
	return k->path;
}

/* --- sets ------------------------------------------------------------ */

/* What a key has in each version; NULL: nothing. */
struct probe { char key[64]; const char *val[VERSIONS]; };

struct bench {
	struct fixture *x;
	char dir[600];
	struct probe p[BULK + 8];
	size_t n;
	struct shelf shelf;
	long same, older, none, errors, hit;	/* hit: flips with errors */
};

static void
expect(struct bench *b, const char *key, const char *v7, const char *v8,
    const char *v9, const char *v10, const char *v11)
{
	struct probe *p = &b->p[b->n++];

	snprintf(p->key, sizeof(p->key), "%s", key);
	p->val[0] = v7;
	p->val[1] = v8;
	p->val[2] = v9;
	p->val[3] = v10;
	p->val[4] = v11;
}

static void
step(struct bench *b, struct ruleset **r, uint64_t to, const char *key,
    const char *val)
{
	struct change c = { key, val };
	struct ruleset_refusal refusal;
	struct diag why = { "" };
	struct buf frame;

	buf_init(&frame, 0);
	fixture_change(b->x, to, &c, 1, &frame);
	if (fixture_apply(b->x, r, &frame, &refusal, &why) < 0)
		fail_msg("%s", why.text);
	buf_fini(&frame);
}

static void
make_set(struct bench *b)
{
	struct diag why = { "" };
	struct ruleset *r = NULL;
	char path[SETS_PATH_LEN], key[64];
	int i;

	for (i = 0; i < BULK; i++) {
		snprintf(key, sizeof(key), "Ebulk%03d.example", i);
		fixture_do(b->x, &(struct change){ key, "12345678" });
		expect(b, key, "12345678", "12345678", "12345678",
		    "12345678", "12345678");
	}
	fixture_publish(b->x, 7);
	assert_int_equal(sets_prepare(b->x->dir, path, NULL), 0);
	if (fixture_build(b->x, path, &why) < 0 ||
	    sets_install(b->x->dir, 7, path, &why) < 0 ||
	    ruleset_open(&r, path, b->x->id->root, &why) < 0)
		fail_msg("%s", why.text);
	step(b, &r, 8, "Dk@acme.example", "1");
	step(b, &r, 9, "Ebulk007.example", "87654321");
	/* reopened here: what came before lies in a table by now */
	ruleset_unref(&r);
	assert_int_equal(ruleset_open(&r, path, b->x->id->root, NULL), 0);
	step(b, &r, 10, "Dk@acme.example", "2");
	step(b, &r, 11, "Ebulk009.example", NULL);
	ruleset_unref(&r);
	expect(b, "Dk@acme.example", NULL, "1", "1", "2", "2");
	expect(b, "Dno@acme.example", NULL, NULL, NULL, NULL, NULL);
	b->p[7].val[2] = b->p[7].val[3] = b->p[7].val[4] = "87654321";
	b->p[9].val[4] = NULL;
	snprintf(b->dir, sizeof(b->dir), "%s/sets", b->x->dir);
	keep(&b->shelf, b->dir);
}

/* All keys: what the version has, or an error. */
static void
probe_all(struct bench *b, struct ruleset *r, const char *file)
{
	uint64_t version = ruleset_head(r)->version;
	struct buf scratch;
	struct bytes v;
	size_t i;

	assert_in_range(version, 7, 11);
	buf_init(&scratch, 0);
	for (i = 0; i < b->n; i++) {
		const char *want = b->p[i].val[version - 7];
		int rc = ruleset_get(r, b->p[i].key, strlen(b->p[i].key),
		    &scratch, &v);

		if (rc < 0 && rc != ERR_NOENT)
			b->errors++;
		else if ((rc == 0) != (want != NULL) || (rc == 0 &&
		    (v.n != strlen(want) || memcmp(v.p, want, v.n) != 0)))
			fail_msg("%s: wrong answer for %s", file,
			    b->p[i].key);
	}
	buf_fini(&scratch);
}

static bool
met_all(const struct bench *b)
{
	return b->same >= ENOUGH && b->older >= ENOUGH &&
	    b->none >= ENOUGH && b->hit >= ENOUGH;
}

static void
flipped_bit_of_a_set_never_gives_a_wrong_answer(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	long n = trials() * 3 / 4, i;

	b->x = *state;
	log_setup("test", LOG_TEXT, LOG_ERROR);
	make_set(b);
	for (i = 0; i < n || (!met_all(b) && i < LIMIT); i++) {
		struct ruleset *r = NULL;
		const char *file = "";
		bool at_rest = i % 2 != 0;
		long errors = b->errors;

		put_back(&b->shelf, b->dir);
		if (at_rest)
			file = flip(&b->shelf);
		if (sets_open_newest(b->x->dir, fixture_trust(b->x), &r,
		    NULL) < 0) {
			b->none++;
			continue;
		}
		if (!at_rest)
			file = flip(&b->shelf);
		b->same += ruleset_head(r)->version == 11;
		b->older += ruleset_head(r)->version < 11;
		probe_all(b, r, file);
		b->hit += b->errors > errors;
		ruleset_unref(&r);
	}
	print_message("%ld flips: %ld at the newest version, %ld at an older "
	    "one, %ld refused; %ld keys were errors, in %ld flips\n", i,
	    b->same, b->older, b->none, b->errors, b->hit);
	assert_true(met_all(b));
	forget(&b->shelf);
	free(b);
}

/* --- the spool ------------------------------------------------------- */

/* Every event that comes out is one that went in, whole, in order. */
static long
read_spool(const char *dir, const char *file)
{
	struct spool_conf c = { .dir = dir, .max_bytes = 1 << 22 };
	struct spool_batch batch;
	struct spool *s = NULL;
	long got = 0, last = -1;
	size_t i, from;

	if (spool_open(&s, &c, NULL) < 0)
		return 0;
	buf_init(&batch.data, 0);
	while (spool_peek(s, 100, 65536, &batch) == 0) {
		for (i = 0, from = 0; i < batch.n; from = batch.end[i++]) {
			char text[64] = "";
			long k = -1;
			size_t len = batch.end[i] - from;

			if (len < sizeof(text))
				memcpy(text, batch.data.data + from, len);
			if (sscanf(text, "event number %ld of the spool",
			    &k) != 1 || k <= last || k >= SPOOL_EVENTS ||
			    len != strlen(text))
				fail_msg("%s: event \"%s\"", file, text);
			last = k;
			got++;
		}
		spool_ack(s, batch.first_seq + batch.n - 1);
	}
	spool_close(&s);
	buf_fini(&batch.data);
	return got;
}

static void
flipped_bit_of_a_spool_never_gives_a_wrong_event(void **state)
{
	struct fixture *x = *state;
	struct shelf *shelf = xcalloc(1, sizeof(*shelf));
	long n = trials() / 4, i, whole = 0, some = 0;
	struct spool_conf c = { .max_bytes = 1 << 22,
	    .segment_bytes = 4096 };
	struct spool *s = NULL;
	char dir[512];

	log_setup("test", LOG_TEXT, LOG_ERROR);
	snprintf(dir, sizeof(dir), "%s/spool", x->dir);
	c.dir = dir;
	assert_int_equal(spool_open(&s, &c, NULL), 0);
	for (i = 0; i < SPOOL_EVENTS; i++) {
		char text[64];
		int len = snprintf(text, sizeof(text),
		    "event number %ld of the spool", i);

		assert_true(spool_put(s, text, (size_t)len) > 0);
	}
	spool_close(&s);
	keep(shelf, dir);
	for (i = 0; i < n; i++) {
		long got;

		put_back(shelf, dir);
		got = read_spool(dir, flip(shelf));
		whole += got == SPOOL_EVENTS;
		some += got < SPOOL_EVENTS;
	}
	print_message("%ld flips: %ld spools whole, %ld lost events\n", n,
	    whole, some);
	assert_true(some > n / 4);	/* it is two of three */
	forget(shelf);
	free(shelf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, \
	fixture_teardown)
		T(flipped_bit_of_a_set_never_gives_a_wrong_answer),
		T(flipped_bit_of_a_spool_never_gives_a_wrong_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
