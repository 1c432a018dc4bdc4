/*
 * fuzz_document.c - any bytes as a policy document: refused, or compiled to
 * records that the loader takes.
 */
#include <string.h>

#include "controller/policy/compile.h"
#include "controller/policy/document.h"
#include "tests/fuzz/target.h"

/* What a node does with the records: they rise, and the small ones make
 * tables. */
static void
load(const struct records *r)
{
	struct tables *t = tables_new(NULL);
	struct records_cursor c;
	struct buf last;
	struct diag why;
	uint64_t n = 0;

	buf_init(&last, RECORD_KEY_MAX);
	records_begin(&c, r);
	while (records_next(&c)) {
		size_t len = last.len < c.key.len ? last.len : c.key.len;
		int order = len == 0 ? 0 : memcmp(last.data, c.key.data, len);

		fuzz_assert(order < 0 ||
		    (order == 0 && last.len < c.key.len));
		buf_reset(&last);
		buf_put(&last, c.key.data, c.key.len);
		fuzz_assert(last.err == 0 && record_is_known(*(uint8_t *)
		    c.key.data));
		if (record_is_small(*(uint8_t *)c.key.data))
			fuzz_assert(tables_put(t, bytes_of(c.key.data,
			    c.key.len), bytes_of(c.val.data, c.val.len),
			    &why) == 0);
		n++;
	}
	records_end(&c);
	fuzz_assert(n == records_n(r) && tables_finish(t, &why) == 0);
	buf_fini(&last);
	tables_free(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct document d = { "doc", (const char *)data, len };
	struct records r;
	struct items items;
	struct diag why;

	if (document_read(&d, 1, NULL, NULL, &items, &why) < 0)
		return 0;
	if (compile(&items, &r, &why) == 0) {
		load(&r);
		records_fini(&r);
	}
	items_fini(&items);
	return 0;
}
