/*
 * client.h - one request to the controller's HTTP API and its answer.
 *
 * Where the controller is, by context.h, else http://127.0.0.1:8025.  The
 * token: the file that context.h names, which nobody else may read.  These
 * functions print what went wrong and return the exit status for it.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>

#include "controller/cli/flags.h"
#include "proto/base/buf.h"

/*
 * Ask and wait.  body (may be NULL) is sent as JSON and stays the caller's;
 * *answer (may be NULL when it does not matter) is the answer, which the
 * caller decrefs.  CLI_OK, or CLI_UNREACHABLE, CLI_DENIED, CLI_NOT_FOUND,
 * CLI_CONFLICT, CLI_INVALID, CLI_USAGE with the error printed; then *answer
 * is NULL.
 */
int client_call(const struct flags *f, const char *method, const char *path,
    const json_t *body, json_t **answer);

/* Append text to a path, escaped as one segment or one value. */
void client_escape(struct buf *path, const char *text);

/* Append "?name=value" or "&name=value" for each flag of the list (separated
 * by blanks) that was given. */
void client_query(struct buf *path, const struct flags *f, const char *names);

#endif
