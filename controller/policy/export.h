/*
 * export.h - items back to a policy document (YAML) that reads as the same
 * items: what `postern export` prints, and what `postern simulate` compares
 * a draft with.
 */
#ifndef POLICY_EXPORT_H
#define POLICY_EXPORT_H

#include "controller/policy/items.h"
#include "proto/base/buf.h"

/*
 * Append the document.  managers: only what one of these holds ("allow,cli",
 * parted by commas), or NULL for all.  The order is that of the keys, so
 * equal items give equal text.  Read again it gives the same items and so
 * the same records; managers are not part of a document.
 */
void export_document(const struct items *items, const char *managers,
    struct buf *out);

#endif
