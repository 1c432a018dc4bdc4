/*
 * spec.h - the small language in which a route says what it takes and gives:
 * "user:text! entries:texts dry_run:flag".
 *
 * Types: text, int, flag, texts (a list of them), list, object, any.  "!"
 * marks what must be there.  The request check and the OpenAPI document both
 * read it, so neither can say what the other does not.
 */
#ifndef HTTP_SPEC_H
#define HTTP_SPEC_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/diag.h"

struct spec { char name[32], type[8]; bool required; };

/* The next one of *text, which moves on; false at its end. */
bool spec_next(const char **text, struct spec *out);

/* Hold a request's body against spec: unknown, missing or of another type is
 * ERR_INVAL with the nearest known name. */
int spec_check(const char *spec, const json_t *body, struct diag *why);

/* The JSON Schema of an object by spec, and of one type. */
json_t *spec_schema(const char *spec);
json_t *spec_type_schema(const char *type);

#endif
