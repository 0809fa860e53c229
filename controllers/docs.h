/*
 * docs: the last whole documents that the API server sent, as bytes, so that a pass need not ask again for what nobody
 * has changed. A document is given out only for the resourceVersion that the caller names, which is the cache's: so it
 * is as old as the record beside it and no older, and a write that was computed from it meets its precondition.
 *
 * Bounded by LIMIT_KEPT_DOCUMENTS bytes in all; the longest unused ones go first.
 */
#ifndef STASHD_DOCS_H
#define STASHD_DOCS_H

#include <jansson.h>
#include <stdint.h>

#include "k8s/kind.h"

struct docs; /* opaque */

struct docs *docs_new(uint64_t seed);
void docs_free(struct docs *d);

/* Keeps a copy, in place of an older one; the name and the version are the document's own. One that is too big, or has
 * no version, is not kept. ns NULL: cluster-scoped. */
void docs_put(struct docs *d, const struct kind *k, const char *ns, const char *name, const json_t *object);
/* A new reference; NULL: not kept, or of another version. */
json_t *docs_get(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv);
void docs_drop(struct docs *d, const struct kind *k, const char *ns, const char *name);

#endif
