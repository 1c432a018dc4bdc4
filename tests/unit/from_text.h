/*
 * from_text.h - a header From as one line for a test to compare: "*" when
 * malformed, "+" when there were more, the addresses, the name in brackets.
 */
#ifndef TESTS_UNIT_FROM_TEXT_H
#define TESTS_UNIT_FROM_TEXT_H

#include <stdio.h>

#include "proto/mail/from.h"

#define FROM_TEXT_MAX (FROM_MAX * ADDR_TEXT_MAX + NAME_TEXT_MAX + 8)

/* Also asserts that all addresses are ambiguous, or none is. */
static void
from_text(const struct from *f, char out[FROM_TEXT_MAX])
{
	size_t i, n = 0, cap = FROM_TEXT_MAX;

	n += (size_t)snprintf(out, cap, "%s%s", f->malformed ? "*" : "",
	    f->more ? "+" : "");
	for (i = 0; i < f->n; i++) {
		assert_int_equal(f->addr[i].ambiguous, f->malformed);
		n += (size_t)snprintf(out + n, cap - n, "%s%s",
		    i > 0 ? " " : "", f->addr[i].text);
	}
	if (f->name[0] != '\0')
		snprintf(out + n, cap - n, "%s[%s]", n > 0 ? " " : "",
		    f->name);
}

#endif
