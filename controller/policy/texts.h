/*
 * texts.h - files of the tree that the programs can print: the Makefile
 * compiles them in, so that each stands in one place.
 */
#ifndef POLICY_TEXTS_H
#define POLICY_TEXTS_H

/* The JSON Schema of policy documents (schema.json). */
extern const char texts_schema[];
/* Settings for mail servers (deploy/postfix/), with the default addresses. */
extern const char texts_postfix[], texts_milter[], texts_exim[];

#endif
