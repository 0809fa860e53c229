/*
 * controller: a kind's decisions as a table (style: "a controller is a table"). observe fills a view from the world, the
 * first row that fits adds effects to the plan, the engine runs them. observe, when and act are pure: they read the
 * world, never change it. Rows look at how the world is, not at which event came.
 *
 * Reading the world. Records come from the cache at once. A whole document (world_doc) is read from the API server when
 * it is first asked for in a pass: world_doc then returns NULL and world_waiting is true; the engine drops what the pass
 * made, fetches all that was asked for, and runs observe again with the documents at hand. So controllers read straight
 * on, as if all were there, and return early on `waiting`.
 */
#ifndef STASHD_CONTROLLER_H
#define STASHD_CONTROLLER_H

#include <jansson.h>

#include "core/base/arena.h"
#include "core/base/config.h"
#include "core/base/error.h"
#include "k8s/cache.h"

/* Settings that decisions depend on; filled by core/cmd/stashd.c from its table (chart.md 9 names). */
struct operator_settings {
    const char *own_namespace;   /* where the operator runs */
    const char *image;           /* the operator's image: STASH_DOCKER_REGISTRY/IMAGE:TAG */
    const char *fullname;        /* chart full name: "stashd" */
    const char *pushgateway_url; /* PROMETHEUS_PUSHGATEWAY_URL; "" */
    bool allow_hostpath_backend;
    int64_t job_ttl_s;            /* jobs.ttlSecondsAfterFinished */
    int64_t job_default_timeout_s; /* jobs.defaultTimeOut; 0: none */
    int64_t pod_start_timeout_s;   /* jobs.podStartTimeout */
    int64_t catch_up_s;            /* 600 (controllers.md 5.3) */
};

struct world;

const struct operator_settings *world_settings(const struct world *w);
int64_t world_now_s(const struct world *w); /* Unix seconds, the same for the whole pass */
int64_t world_now_ms(const struct world *w);
const struct cache *world_cache(const struct world *w);
struct arena *world_arena(struct world *w);
/* Whole document, borrowed for the pass; NULL: absent, or not read yet (then world_waiting is true). */
const json_t *world_doc(struct world *w, const struct kind *k, const char *ns, const char *name);
bool world_waiting(const struct world *w);

/* ---- the plan: effects in order; any failure puts the key back with back-off and the rest is not run ---- */

struct plan;

/* Creates. Idempotent by name: an existing object of the same controller-owner UID (or, without an owner, the same
 * stash.appscode.com labels) is success; another is ERR_EXISTS, told to on_conflict of the controller. */
void plan_create(struct plan *p, const struct kind *k, const char *ns, json_t *object_take);
/* Merge patch of the pass's object's status, with its resourceVersion as precondition. Several in one plan become one. */
void plan_status(struct plan *p, json_t *status_take);
/* Merge patch of another object. subresource NULL or "status"; rv NULL: no precondition. */
void plan_patch(struct plan *p, const struct kind *k, const char *ns, const char *name, const char *subresource,
                const char *rv, json_t *patch_take);
/* Server-side apply of an object that is wholly ours: accounts, Roles, bindings. */
void plan_apply(struct plan *p, const struct kind *k, const char *ns, json_t *object_take);
/* Delete with the UID as precondition; absent is success. propagation "Background" or "Foreground". */
void plan_delete(struct plan *p, const struct kind *k, const char *ns, const char *name, const char *uid,
                 const char *propagation);
void plan_event(struct plan *p, const char *type, const char *reason, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* This key again at that time at the latest. */
void plan_wake_at(struct plan *p, int64_t unix_s);
/* Another key soon. */
void plan_wake(struct plan *p, const struct kind *k, const char *ns, const char *name);

/* The plan as lines, for tests: "create Job demo/stash-backup-x-0", "status phase=Pending reason=…", "wake 10s". */
struct buf;
void plan_print(const struct plan *p, struct buf *out);

/* ---- the table ---- */

enum { PHASE_ANY = -1 }; /* a row that fits in each phase */

struct rule {
    int in;
    bool (*when)(const void *view);                                /* NULL: always */
    void (*act)(const void *view, struct world *w, struct plan *p); /* NULL: nothing to do */
    int to;             /* phase afterwards; when it differs from `in`, act writes it with plan_status */
    const char *reason; /* log field, metric label and coverage mark */
};

/* An event of a watched kind wakes keys of this controller: calls wake once for each. Reads records only. */
typedef void wake_fn(void *ctx, const char *ns, const char *name);
struct watched {
    enum kind_id kind;
    void (*map)(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx);
};

struct controller {
    const char *name; /* "backupsession": log field, metric label */
    enum kind_id kind;
    const char *component; /* of events: "BackupSession Controller" */
    const char *const *phases; /* names by number; [0] is "" (new); NULL-terminated */
    const struct rule *rules;
    size_t n_rules;
    size_t view_size;
    /* Fills the view (cleared) for the object; returns its phase, or PHASE_ANY - 1 for "nothing to do here". */
    int (*observe)(struct world *w, const struct kobj *self, void *view);
    const struct watched *watches;
    size_t n_watches;
};

enum { PHASE_REST = -2 }; /* observe: nothing to do */

/* All controllers, one row each (table.c). */
extern const struct controller *const controllers[];
extern const size_t n_controllers;

/* One pass over data, no engine: for unit tests of tables. docs: whole documents by world_doc. Returns the rule or NULL. */
const struct rule *controller_decide(const struct controller *c, struct world *w, const struct kobj *self,
                                     struct plan *p);

#endif
