/*
 * scan: a streaming scanner that takes the fields we use out of a list or a watch as the bytes arrive. No tree, no
 * whole-body buffer (performance.md 5): only the object being read has its kept values in memory. Any cut of the input
 * gives the same result. Its oracle in the fuzz target is jansson + kobj_from_json: what jansson accepts gives the same
 * records. What is not kept is skipped by counting brackets, not checked: the API server writes it, and no depth or
 * size of one tenant's object can stop the stream of all others. A kept text over LIMIT_STRING is as good as absent.
 */
#ifndef STASHD_SCAN_H
#define STASHD_SCAN_H

#include "core/base/error.h"
#include "k8s/object.h"

enum scan_mode {
    SCAN_WATCH, /* {"type":"ADDED","object":{…}} lines */
    SCAN_LIST,  /* {"kind":"…List","metadata":{…},"items":[…]}; metadata may come after items */
};

enum scan_event {
    SCAN_ADDED, /* also each item of a list */
    SCAN_MODIFIED,
    SCAN_DELETED,
    SCAN_BOOKMARK, /* o: only rv is set; initial_end tells the annotation k8s.io/initial-events-end */
    SCAN_ERROR,    /* a Status came: code and message are in the scan's status_* */
};

struct scan;      /* opaque */
struct scan_ones; /* opaque */

/* May not free the scan. */
typedef void scan_fn(void *ctx, enum scan_event type, const struct kobj *o /* borrowed; NULL with SCAN_ERROR */);

struct scan *scan_new(const struct kind *k, enum scan_mode mode, scan_fn *on_object, void *ctx);
void scan_free(struct scan *s);

/* From now on (before the first chunk) the text of each object is put together too; SCAN_WATCH only. */
void scan_keep_raw(struct scan *s);
/* Records that come from now on have their common values in this pool. */
void scan_share(struct scan *s, struct shared_pool *pool);
/* During SCAN_ADDED and SCAN_MODIFIED: the object's text, its managedFields null. Borrowed; STR_NONE: not kept, or too
 * big. */
struct str scan_raw(const struct scan *s);

/* One object that came by itself: fn hears its record and its text, managedFields null, both borrowed; once. False: it
 * is no object, or too big. What is not kept of it is not checked to be JSON. */
typedef void scan_one_fn(void *ctx, const struct kobj *o, struct str text);
bool scan_one(struct scan_ones *ones, const struct kind *k, struct str object, scan_one_fn *fn, void *ctx);
/* A scan of each kind that came, for the next one. */
struct scan_ones *scan_ones_new(void);
void scan_ones_free(struct scan_ones *ones);

/* 0, or ERR_INVALID (no JSON, or not this shape). After an error the scan takes nothing more. */
int scan_feed(struct scan *s, struct str chunk, struct error *e) NODISCARD;
/* 0 when the input may end here: after a whole line or a whole list. */
int scan_end(struct scan *s, struct error *e) NODISCARD;

const char *scan_list_rv(const struct scan *s);   /* of a list's metadata; "" until seen */
const char *scan_continue(const struct scan *s);  /* a list's continue token; "" when none */
bool scan_initial_end(const struct scan *s);      /* during SCAN_BOOKMARK */
int scan_status_code(const struct scan *s);       /* during SCAN_ERROR: 410, … */
const char *scan_status_message(const struct scan *s);

#endif
