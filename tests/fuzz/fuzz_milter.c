/*
 * fuzz_milter.c - any bytes as a milter connection: frames, their data, and
 * a session over a node without a policy.
 *
 * In one piece and in two the bytes mean the same, every answer is whole
 * frames, and none is a 5xx: nothing here was decided.
 */
#include <stdlib.h>
#include <string.h>

#include "node/milter_session.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "tests/fuzz/target.h"

#define FIRST 2		/* bytes before the connection's: where it is cut */

static struct ruleset *
no_view(void *arg)
{
	(void)arg;
	return NULL;
}

static uint64_t
no_record(void *arg, const struct event *e)
{
	(void)arg;
	(void)e;
	return 0;
}

/* Say data in pieces of `piece` bytes; how it ended. */
static int
run(struct host *host, const char *data, size_t len, size_t piece,
    struct buf *out)
{
	struct milter_session *s = milter_session_new(host, "local");
	struct milter_parser p = { 0 };
	size_t at = 0, end = 0;
	struct milter_frame f;
	uint64_t ticket;
	struct diag why;
	int rc = 0;

	while (rc == 0 && end < len) {
		end = len - end < piece ? len : end + piece;
		for (;;) {
			size_t used = 0;

			rc = milter_parse(&p, data + at, end - at, &f, &used,
			    &why);
			if (rc == 0 || rc == ERR_AGAIN)
				at += used;
			if (rc == 0)
				rc = milter_session_take(s, &f, false, out,
				    &ticket, &why);
			if (rc != 0)
				break;
		}
		if (rc == ERR_AGAIN)
			rc = 0;
	}
	milter_session_free(&s);
	return rc;
}

static void
check_answers(const struct buf *out)
{
	size_t at = 0;

	while (at + 5 <= out->len) {
		const uint8_t *f = (const uint8_t *)out->data + at;
		size_t len = (size_t)f[0] << 24 | (size_t)f[1] << 16 |
		    (size_t)f[2] << 8 | f[3];

		if (len == 0 || strchr("Ocyhm-", f[4]) == NULL ||
		    (f[4] == 'y' && f[5] == '5'))
			abort();
		at += 4 + len;
	}
	if (at != out->len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct decide_conf conf = { .bootstrap = FALLBACK_DUNNO };
	static struct decider *decider;
	static struct metrics metrics;
	struct host host = { .view = no_view, .record = no_record,
	    .metrics = &metrics, .decision_headers = true };
	struct buf whole, parts;
	size_t piece;
	int rc;

	if (len < FIRST)
		return 0;
	if (decider == NULL) {
		log_setup("fuzz", LOG_TEXT, LOG_ERROR);
		decider = decide_new(&conf, &metrics);
	}
	host.decider = decider;
	piece = (size_t)(data[0] | data[1] << 8) % len + 1;
	buf_init(&whole, 0);
	buf_init(&parts, 0);
	rc = run(&host, (const char *)data + FIRST, len - FIRST, len,
	    &whole);
	if (run(&host, (const char *)data + FIRST, len - FIRST, piece,
	    &parts) != rc || whole.len != parts.len || (whole.len > 0 &&
	    memcmp(whole.data, parts.data, whole.len) != 0))
		abort();
	check_answers(&whole);
	buf_fini(&whole);
	buf_fini(&parts);
	return 0;
}
