/*
 * shared: bytes that many records have in common, kept once: of ten thousand objects nearly all say the same of most of
 * their fields. Counted references; what nobody has any more goes by itself.
 */
#ifndef STASHD_SHARED_H
#define STASHD_SHARED_H

#include <stdint.h>

#include "core/base/str.h"

struct shared_pool; /* opaque */

struct shared_pool *shared_pool_new(uint64_t seed);
/* It lives on until the last of its bytes is given back. */
void shared_pool_drop(struct shared_pool *p);

struct shared {
    /* private */
    struct shared_pool *pool;
    uint32_t refs, n;
    /* readable */
    char bytes[];
};

/* One reference to equal bytes, which are copied if they are new. pool NULL: they are nobody else's. */
const struct shared *shared_get(struct shared_pool *p, struct str bytes);
void shared_unref(const struct shared *s);

#endif
