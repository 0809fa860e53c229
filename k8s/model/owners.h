/*
 * owners: who depends on whom: for each UID that an ownerReference names, the objects that name it. Kept from changes.
 */
#ifndef STASHD_MODEL_OWNERS_H
#define STASHD_MODEL_OWNERS_H

#include "core/base/map.h"
#include "k8s/model/store.h"

struct owners {
    /* private */
    struct map by_uid; /* owner's UID to struct dependents */
    uint64_t seed;
};

void owners_init(struct owners *o, uint64_t seed);
void owners_done(struct owners *o);
/* NULL: it was not there before, or is not any more. */
void owners_changed(struct owners *o, const struct table *t, const json_t *old, const json_t *now);

/* "<plural.group> <ns> <name>": names an object in queues; freed with mem_free. */
char *owners_key(const struct table *t, const char *ns, const char *name);
/* The object behind a key, borrowed; NULL: absent. */
struct stored *owners_find(struct store *s, const char *key, struct table **ret_table);

/* Calls fn for each dependent's key, in the order in which they came. fn may not change objects. */
void owners_each(const struct owners *o, const char *uid, void (*fn)(void *ctx, const char *key), void *ctx);
bool owners_any(const struct owners *o, const char *uid);

#endif
