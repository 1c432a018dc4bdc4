/*
 * fuzz_from.c - any bytes as From fields, parted by "\n" without white space
 * behind: each address is canonical and has a domain, ambiguity is of all or
 * none, limits hold; and the canonical form of a name is its own canonical
 * form unless an encoded word came out of an encoded word.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/policy/eml.h"
#include "proto/mail/from.h"
#include "tests/fuzz/target.h"

static void
check_addresses(const struct from *f)
{
	struct addr again;
	size_t i;

	if (f->n > FROM_MAX || (f->more && f->n == 0 && !f->malformed &&
	    f->bytes < FROM_BYTES_MAX && f->tries < FROM_TRIES_MAX))
		abort();
	for (i = 0; i < f->n; i++) {
		const struct addr *a = &f->addr[i];

		if (a->ambiguous != f->malformed || a->domain_at == a->len ||
		    (a->kind != ADDR_MAILBOX && a->kind != ADDR_LITERAL) ||
		    addr_parse(&again, a->text, a->len, ADDR_TEXT,
		    NULL) < 0 || strcmp(again.text, a->text) != 0)
			abort();
	}
}

static void
check_name(const char *name)
{
	char again[NAME_TEXT_MAX];
	size_t len = strlen(name);

	if (strstr(name, "=?") != NULL)
		return;
	if (name_parse(again, name, len, NULL) < 0 ||
	    strcmp(again, name) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct from f;
	const char *s = (const char *)data, *end = s + len, *eol;
	char name[NAME_TEXT_MAX];
	struct buf header;

	from_init(&f);
	for (; s < end; s = eol + 1) {
		eol = memchr(s, '\n', (size_t)(end - s));
		while (eol != NULL && eol + 1 < end &&
		    (eol[1] == ' ' || eol[1] == '\t'))
			eol = memchr(eol + 1, '\n', (size_t)(end - eol) - 1);
		if (eol == NULL)
			eol = end;
		from_add(&f, s, (size_t)(eol - s));
	}
	from_finish(&f);
	check_addresses(&f);
	check_name(f.name);
	if (name_parse(name, (const char *)data, len, NULL) == 0)
		check_name(name);
	buf_init(&header, 0);
	eml_from(data, len, &header);
	buf_fini(&header);
	return 0;
}
