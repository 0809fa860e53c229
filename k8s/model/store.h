/*
 * store: what etcd is to an API server: objects by table ("pods", "jobs.batch"), namespace and name, one
 * resourceVersion counter for all, and the last events for watches that start in the past.
 *
 * Objects are immutable: a change is a new tree given to store_put. Who wants to change one copies it first
 * (json_clone). Iteration is in the order of "<namespace>/<name>", as etcd's, so that pages can be continued.
 * The store knows nothing of kinds, users or HTTP.
 */
#ifndef STASHD_MODEL_STORE_H
#define STASHD_MODEL_STORE_H

#include <jansson.h>

#include "core/base/list.h"
#include "core/base/str.h"

/* One version of one object, refcounted: the store, events and answers under way share it. */
struct stored {
    uint32_t refs; /* private */
    uint64_t rv;
    json_t *json; /* never changed */
    const char *ns, *name, *uid; /* "" where there is none; they point into json */
    /* private: its compact text, made when first asked for */
    char *text;
    size_t text_n;
};

struct stored *stored_ref(struct stored *o);
void stored_unref(struct stored *o);       /* NULL is fine */
struct str stored_text(struct stored *o);  /* compact JSON, borrowed with the object */

enum store_type { STORE_ADDED, STORE_MODIFIED, STORE_DELETED };

struct table; /* opaque: the objects of one plural.group */

struct store_event {
    uint64_t rv;
    enum store_type type;
    struct table *table;
    struct stored *now; /* of a deletion: the last state, with the deletion's resourceVersion */
    struct stored *old; /* the state before; NULL with STORE_ADDED */
};

struct store; /* opaque */

/* on_event: after the store has changed, before store_put or store_del returns. */
typedef void store_fn(void *ctx, const struct store_event *e);

struct store *store_new(uint64_t seed, size_t history_max, store_fn *on_event, void *ctx);
void store_free(struct store *s);

/* The table of "pods" or "jobs.batch"; made when it is not there yet. Tables live as long as the store. */
struct table *store_table(struct store *s, const char *name);
const char *table_name(const struct table *t);
size_t table_size(const struct table *t);
/* Where a table's watches hang; theirs to use. */
struct list *table_watches(struct table *t);

struct stored *store_get(const struct table *t, const char *ns, const char *name); /* borrowed; NULL: absent */
struct stored *store_find_uid(const struct store *s, const char *uid, struct table **ret_table); /* any table */

/* Sets metadata.resourceVersion, stores, tells. Returns it borrowed. The names are read from metadata. */
struct stored *store_put(struct store *s, struct table *t, json_t *object_take);
/* Removes; the event's object is the last state with a new resourceVersion. No-op when absent. */
void store_del(struct store *s, struct table *t, const char *ns, const char *name);
/*
 * As put (NULL: delete), at a given resourceVersion, without telling: for restoring. Where one follows another without
 * a gap the events are kept, and watches can start there; what is loaded out of order, or with gaps, is where they
 * can't.
 */
void store_load(struct store *s, struct table *t, uint64_t rv, const char *ns, const char *name, json_t *object_take);
/* Restoring found that resourceVersion, but nothing of it is left. */
void store_load_rv(struct store *s, uint64_t rv);

/*
 * In order: for (size_t i = store_first(t, ns); (o = store_at(t, ns, i)); i++). ns NULL: all. A change of the table
 * makes places invalid: collect first (store_list), change then.
 */
size_t store_first(const struct table *t, const char *ns);
struct stored *store_at(const struct table *t, const char *ns, size_t i);
/* The order of tables: of the bytes of "<ns>/<name>". */
int store_key_cmp(const char *ns, const char *name, const char *ns2, const char *name2);
/* First place after that key in order, whether it is there or not. */
size_t store_after(const struct table *t, const char *ns, const char *name);

/* References to all objects of a table (ns NULL: of all namespaces) as they were at rv (0: now), in order; to be freed
 * with store_list_free. False: that resourceVersion was compacted. */
struct store_list {
    struct stored **items;
    size_t n;
};
bool store_list(const struct store *s, const struct table *t, const char *ns, uint64_t rv, struct store_list *ret);
void store_list_free(struct store_list *l);

uint64_t store_rv(const struct store *s);
/* Oldest resourceVersion from which a watch can start: events after it are all there. */
uint64_t store_compacted(const struct store *s);
void store_compact(struct store *s, uint64_t rv);
/* Events after rv, oldest first: for (size_t i = 0; (e = store_event_after(s, rv, &i));). */
const struct store_event *store_event_after(const struct store *s, uint64_t rv, size_t *i);

#endif
