/*
 * document.h - policy documents (YAML) to items.
 *
 * Nothing is kept from a document with an error.  Errors say
 * "file:line:column: reason" and the nearest known name.  Limits: 16 MiB a
 * document, 1,023 MiB a list file (a request to a controller holds less).
 */
#ifndef POLICY_DOCUMENT_H
#define POLICY_DOCUMENT_H

#include "controller/policy/items.h"

#define DOCUMENT_MAX (16 * 1024 * 1024)
#define DOCUMENT_LIST_MAX (1023 * 1024 * 1024)

/*
 * How a document gets the list file it names; path is relative to the
 * document's folder, as written.  Append the content to out.  0 or an error.
 */
struct buf;
typedef int (*document_list_fn)(void *arg, const char *document,
    const char *path, struct buf *out, struct diag *why);

/* One document read: its name (in messages) and its text. */
struct document { const char *name; const char *text; size_t len; };

/*
 * Read n documents into one set (a key set in two of them is an error).
 * list may be NULL: then {file: ..} is an error.  Each item gets file, line
 * and column; managers "".  0, ERR_INVAL, ERR_TOOBIG.
 */
int document_read(const struct document *docs, size_t n,
    document_list_fn list, void *arg, struct items *out, struct diag *why);

/*
 * Read a directory as CSV alone (document_directory.c says its form).  line
 * is how many lines stood before text in its file, for the places in
 * messages; the head comes again with each part.  0, ERR_INVAL.
 */
int document_read_directory(const char *name, const char *text, size_t line,
    struct items *out, struct diag *why);

/* A document from an already parsed tree (one case of a cases file). */
struct yaml;
int document_read_tree(const char *name, const struct yaml *root,
    struct items *out, struct diag *why);

#endif
