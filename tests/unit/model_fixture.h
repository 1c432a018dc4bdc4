/*
 * model_fixture.h - a random model's records in a node's fixture.
 */
#ifndef TESTS_MODEL_FIXTURE_H
#define TESTS_MODEL_FIXTURE_H

#include "tests/lib/random_case.h"
#include "tests/unit/node_fixture.h"

/* Put all records of the model in place of those that x holds. */
static inline void
model_fixture(struct fixture *x, const struct oracle_model *m)
{
	struct records_cursor c;
	struct records records;
	struct items items;
	struct diag why = { "" };
	size_t i;

	if (random_compile(m, &items, &records, &why) < 0)
		fail_msg("%s", why.text);
	for (i = 0; i < x->n; i++) {
		buf_fini(&x->r[i].key);
		buf_fini(&x->r[i].val);
	}
	x->n = 0;
	records_begin(&c, &records);
	while (records_next(&c)) {
		struct fixture_record *r = fixture_add(x);

		buf_put(&r->key, c.key.data, c.key.len);
		buf_put(&r->val, c.val.data, c.val.len);
	}
	records_end(&c);
	records_fini(&records);
	items_fini(&items);
}

#endif
