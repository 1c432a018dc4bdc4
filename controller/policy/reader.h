/*
 * reader.h - what the parts of the document reader share: where we are, and
 * errors with their place.  For document*.c alone.
 */
#ifndef POLICY_READER_H
#define POLICY_READER_H

#include <jansson.h>

#include "controller/policy/document.h"
#include "proto/base/yaml.h"
#include "proto/mail/addr.h"

struct reader {
	const char *name;	/* of the document, borrowed */
	struct items *out;
	struct diag *why;
	document_list_fn list;
	void *list_arg;
};

/* Set why to "name:line:column: reason" and return ERR_INVAL. */
int reader_fail(struct reader *r, const struct yaml *at, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Every key of map must be in known (NULL-terminated); map must be a map. */
int reader_keys(struct reader *r, const struct yaml *map, const char *what,
    const char *const *known);

/* A text value, or NULL with why set. */
const char *reader_text(struct reader *r, const struct yaml *y,
    const char *what, size_t max);

/* Add an item with its place; a second one of the same key is an error.
 * value is consumed (decref'd); NULL stands for {}. */
int reader_add(struct reader *r, const struct yaml *at, const char *kind,
    const char *a, const char *b, json_t *value);

/* A canonical address with a domain, from y into out. */
int reader_address(struct reader *r, const struct yaml *y,
    char out[ADDR_TEXT_MAX]);

/* The sections: each takes the value of its key in the document. */
int read_organization(struct reader *r, const struct yaml *y);
int read_directory(struct reader *r, const struct yaml *y);
int read_groups(struct reader *r, const struct yaml *y);
int read_policies(struct reader *r, const struct yaml *y);
int read_senders(struct reader *r, const struct yaml *y);

#endif
