/*
 * random_case.h - random policies and messages out of a small alphabet, so
 * that they meet often; as the oracle's model, as a document, as records and
 * as an envelope.
 *
 * The same seed gives the same cases.
 */
#ifndef TESTS_RANDOM_CASE_H
#define TESTS_RANDOM_CASE_H

#include "controller/policy/compile.h"
#include "controller/policy/items.h"
#include "proto/base/buf.h"
#include "tests/lib/oracle.h"

struct random { uint64_t state; };

/* A number below n (n > 0). */
uint32_t random_below(struct random *r, uint32_t n);
/* True once in n. */
bool random_once_in(struct random *r, uint32_t n);

/* A policy document of this alphabet that a document reader accepts. */
void random_model(struct random *r, struct oracle_model *out);
/* A message that often meets what the model holds; any instant near the
 * windows of policies. */
void random_message(struct random *r, const struct oracle_model *m,
    struct oracle_message *out);
/* One address of the alphabet, for header Froms to try. */
void random_address(struct random *r, char out[ORACLE_TEXT]);

/* Write the document (YAML) and the message (a line for people). */
void random_document(const struct oracle_model *m, struct buf *out);
void random_describe(const struct oracle_message *msg, struct buf *out);

/*
 * The document read and compiled, as the controller does it; cycles of groups,
 * which a document may not hold, are put into the records afterwards.  0, or
 * an error with why; records and items are the caller's to free.
 */
int random_compile(const struct oracle_model *m, struct items *items,
    struct records *records, struct diag *why);

/* An envelope and the room it points into. */
struct random_envelope {
	struct envelope env;
	struct addr header[DECIDE_HEADERS_MAX];
	struct addr header_base[DECIDE_HEADERS_MAX];
};

/* As an adapter fills it; borrows texts from msg. */
void random_fill(const struct oracle_message *msg,
    struct random_envelope *out);

/*
 * Make a failing case small: take things out of the model and the message
 * while fails() still says true.
 */
void random_shrink(struct oracle_model *m, struct oracle_message *msg,
    bool (*fails)(const struct oracle_model *m,
    const struct oracle_message *msg, void *arg), void *arg);

#endif
