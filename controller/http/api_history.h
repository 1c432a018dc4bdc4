/*
 * api_history.h - revisions of the store, folded for the handlers that undo.
 */
#ifndef HTTP_API_HISTORY_H
#define HTTP_API_HISTORY_H

#include "controller/http/api.h"
#include "controller/policy/history.h"

/*
 * Fold the revisions from..upto (none when from is above) into h, which the
 * caller ends with history_fini() on success; *last (may be NULL) becomes the
 * last of them, to be decref'd.  0, ERR_NOENT, ERR_CORRUPT, ERR_IO.
 */
int api_history(struct api_call *c, uint64_t from, uint64_t upto,
    struct history *h, json_t **last, struct diag *why);

#endif
