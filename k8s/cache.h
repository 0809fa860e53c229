/*
 * cache: the local copies: records by kind and namespace/name, with indexes by owner UID and by one field's value.
 * Filled by watches (watch.h); read by controllers. Iteration order is by order of arrival, so runs repeat.
 */
#ifndef STASHD_CACHE_H
#define STASHD_CACHE_H

#include "k8s/object.h"

struct cache; /* opaque */

/* Hears each change after the cache has it: old NULL: added; now NULL: deleted. Borrowed for the call. */
typedef void cache_fn(void *ctx, const struct kind *k, const struct kobj *old, const struct kobj *now);

struct cache *cache_new(uint64_t seed, cache_fn *on_change, void *ctx);
void cache_free(struct cache *c);
/* For who makes its records (scan_share): what they have in common is kept once. */
struct shared_pool *cache_pool(const struct cache *c);

/* An index by the value of a field, or of "<ns>/<value>" when
 * with_ns; call before the first object of the kind comes. */
void cache_index(struct cache *c, const struct kind *k, const char *field, bool with_ns);
/* An index by what a reference names: field has the name, ns_field the namespace, where it is absent or "" the object's
 * own; idem. */
void cache_index_ref(struct cache *c, const struct kind *k, const char *field, const char *ns_field);
/* An index by the UID of the owner, idem. */
void cache_index_owners(struct cache *c, const struct kind *k);

/* Takes a reference of its own. An equal resourceVersion changes nothing and calls nobody. */
void cache_put(struct cache *c, const struct kobj *o);
void cache_del(struct cache *c, const struct kind *k, const char *ns, const char *name);

/* A relist in three steps: begin marks, puts come, end drops what was not put since begin (calling on_change). */
void cache_relist_begin(struct cache *c, const struct kind *k);
void cache_relist_end(struct cache *c, const struct kind *k);

/* Complete: the first list of this kind has ended. A kind that nobody watches is never complete. */
void cache_set_complete(struct cache *c, const struct kind *k);
bool cache_complete(const struct cache *c, const struct kind *k);

/* Borrowed until the next change of that object; NULL when absent. ns NULL for cluster-scoped kinds. */
const struct kobj *cache_find(const struct cache *c, const struct kind *k, const char *ns, const char *name);
/* Of two objects of any kinds the one with the smaller number came first: what was decided on one of them before the
 * other was known is told by it, which creation times, whole seconds of several servers' clocks, do not. What one list
 * brings has one number, the first list of each kind 0; kept until the object is gone. 0 when absent. */
uint64_t cache_arrival(const struct cache *c, const struct kobj *o);
size_t cache_count(const struct cache *c, const struct kind *k);

/* Loops: return false from fn to stop. fn may not change the cache. */
typedef bool cache_each_fn(void *ctx, const struct kobj *o);
void cache_each(const struct cache *c, const struct kind *k, cache_each_fn *fn, void *ctx);
void cache_each_owned(const struct cache *c, const struct kind *k, const char *owner_uid, cache_each_fn *fn, void *ctx);
/* Is there one? */
bool cache_has_owned(const struct cache *c, const struct kind *k, const char *owner_uid);
/* By an index of cache_index: value as that index keeps it ("<ns>/<value>" with with_ns). */
void cache_each_by(const struct cache *c, const struct kind *k, const char *field, const char *value,
                   cache_each_fn *fn, void *ctx);
/* By an index of cache_index_ref: those that name this object. */
void cache_each_ref(const struct cache *c, const struct kind *k, const char *field, const char *ns, const char *name,
                    cache_each_fn *fn, void *ctx);

#endif
