/*
 * fuzz_addr.c - any bytes as an address in every form: the canonical text,
 * and that without its extension, read again as a person would write it, is
 * itself.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/mail/addr.h"
#include "tests/fuzz/target.h"

static void
check_again(const struct addr *a)
{
	struct addr again;

	if (addr_parse(&again, a->text, a->len, ADDR_TEXT, NULL) < 0 ||
	    strcmp(again.text, a->text) != 0 || again.kind != a->kind ||
	    again.domain_at != a->domain_at ||
	    again.local_len != a->local_len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct addr a, base;
	struct entry e;
	int form;

	for (form = ADDR_UNQUOTED; form <= ADDR_TEXT; form++) {
		if (addr_parse(&a, (const char *)data, len,
		    (enum addr_form)form, NULL) < 0)
			continue;
		if (a.len != strlen(a.text) || a.domain_at > a.len)
			abort();
		if (a.kind == ADDR_NULL)
			continue;
		check_again(&a);
		if (addr_strip_extension(&a, "+-", &base))
			check_again(&base);
	}
	if (entry_parse(&e, (const char *)data, len, NULL) == 0 &&
	    e.len != strlen(e.text))
		abort();
	return 0;
}
