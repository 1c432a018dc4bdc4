/*
 * load.h - policy documents from files, folders or standard input.
 */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include <jansson.h>

#include "controller/policy/items.h"

/* Names of the files read; items point into it for their places. */
struct files { char **name; size_t n, cap; };
void files_fini(struct files *f);

/*
 * Read path (a file, a folder whose *.yaml and *.yml are taken in the order
 * of their names, or "-") with the list files it names into *out.  0; an
 * error with why.  *names is given up with files_fini() after the items, also
 * on error.
 */
int load_items(const char *path, struct items *out, struct files *names,
    struct diag *why);

/*
 * The same for n paths, read as one set but not compiled, as the texts that
 * the controller wants: an array of {name, text} in *documents and an object
 * of list texts by "NAME\x1fPATH" in *lists, which the caller decrefs.
 * 0; or an error with why, then both are NULL.
 */
int load_texts(const char *const *paths, size_t n, json_t **documents,
    json_t **lists, struct diag *why);

#endif
