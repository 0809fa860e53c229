/*
 * docs: the last whole documents that the API server sent, as bytes, so that a pass need not ask again for what nobody
 * has changed. A document is given out for the resourceVersion that the caller names, which is the cache's: so it is as
 * old as the record beside it and no older, and a write that was computed from it meets its precondition.
 *
 * It may also be newer than the record: the answer of a write is here before its event comes to the cache. Such a one
 * is believed for DOCS_AHEAD_MS; after that the event should have come, and only the server knows. Versions are
 * compared as whole numbers, which Kubernetes promises; any that are none are equal or unknown.
 *
 * Bounded by LIMIT_KEPT_DOCUMENTS bytes in all; the longest unused ones go first. The trees of the last used ones are
 * kept too, up to LIMIT_KEPT_TREES bytes of text: a catalogue and a Repository are the same for many passes.
 */
#ifndef STASHD_DOCS_H
#define STASHD_DOCS_H

#include <jansson.h>
#include <stdint.h>

#include "k8s/kind.h"

enum { DOCS_AHEAD_MS = 5000 };

struct docs; /* opaque */

struct docs *docs_new(uint64_t seed);
void docs_free(struct docs *d);

/* Keeps a copy of an object's text in place of an older one. One that is too big, has no version (rv), or is older than
 * what was kept within DOCS_AHEAD_MS is not kept. ns NULL: cluster-scoped. */
void docs_put(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv, struct str text,
              uint64_t now_ns);
/*
 * The same for what a watch brought, which may be late by any time: it never takes the place of a newer one. A pass
 * that has only the older record then asks the server, and one that was restored to older versions answers with its
 * own.
 */
void docs_offer(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv,
                struct str text, uint64_t now_ns);
/* A new reference to a tree that others have too: not to be changed. NULL: not kept, or of another version. rv "": the
 * cache has no record. *ret_ahead, unless NULL: it is newer than the record. */
json_t *docs_get(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv,
                 uint64_t now_ns, bool *ret_ahead);
size_t docs_bytes(const struct docs *d); /* of text */
void docs_clear(struct docs *d);
void docs_drop(struct docs *d, const struct kind *k, const char *ns, const char *name);
/* Only if it is still of that version: a newer one may have come. */
void docs_drop_version(struct docs *d, const struct kind *k, const char *ns, const char *name, const char *rv);

#endif
