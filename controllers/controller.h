/*
 * controller: a kind's decisions as a table (style: "a controller is a table"). observe fills a view from the world,
 * the first row that fits adds effects to the plan, the engine runs them. observe, when and act are pure: they read the
 * world, never change it. Rows look at how the world is, not at which event came.
 *
 * Reading the world. Records come from the cache at once. A whole document (world_doc) is read from the API server when
 * it is first asked for in a pass: world_doc then returns NULL and world_waiting is true; the engine drops what the
 * pass made, fetches all that was asked for, and runs observe again with the documents at hand. So controllers read
 * straight on, as if all were there; they may return early once world_waiting is true. act may ask for documents too.
 *
 * The cache may be behind. Nothing may rely on seeing one's own write; what makes a repeated pass harmless is that
 * names are deterministic, that status writes carry the resourceVersion they were computed from, and that events and
 * counts stand behind the write that they tell of.
 */
#ifndef STASHD_CONTROLLER_H
#define STASHD_CONTROLLER_H

#include <jansson.h>

#include "core/base/arena.h"
#include "core/base/config.h"
#include "core/base/error.h"
#include "k8s/cache.h"

#define STASH_GROUP "stash.appscode.com"

/* Settings that decisions depend on; filled by core/cmd/stashd.c from its table (chart.md 9 names). */
struct operator_settings {
    const char *own_namespace;   /* where the operator runs */
    const char *image;           /* the operator's image: STASH_DOCKER_REGISTRY/IMAGE:TAG */
    const char *pull_policy;     /* of own containers: "IfNotPresent" */
    const char *fullname;        /* chart full name: "stashd" */
    const char *cluster_id;      /* clusterID; "" or NULL: the UID of Namespace kube-system */
    const char *pushgateway_url; /* PROMETHEUS_PUSHGATEWAY_URL; "" */
    bool push_by_token;          /* it is the operator itself, and asks who pushes */
    bool allow_hostpath_backend;
    bool lend_everywhere;          /* secrets.access: cluster */
    struct config_list lend_to;    /* secrets.lendingNamespaces */
    int64_t job_ttl_s;             /* jobs.ttlSecondsAfterFinished */
    int64_t job_default_timeout_s; /* jobs.defaultTimeOut; 0: none */
    int64_t pod_start_timeout_s;   /* jobs.podStartTimeout */
    int64_t prune_delay_s;         /* jobs.pruneDelay */
    int64_t check_every_s;         /* jobs.checkInterval; 0: with each backup */
    int64_t catch_up_s;            /* 600 (controllers.md 5.3) */
    bool by_cronjobs;              /* trigger: cronjob; an invoker's annotation overrides it (trigger.h) */
};

struct world;
struct unseen_jobs;

const struct operator_settings *world_settings(const struct world *w);
int64_t world_now_s(const struct world *w); /* Unix seconds, the same for the whole pass */
int64_t world_now_ms(const struct world *w);
/* When this pass was first asked for: before now_s when it waited in the queue or failed in between. */
int64_t world_asked_s(const struct world *w);
const struct cache *world_cache(const struct world *w);
/* Who we are in a repository that several clusters use (docs/repositories.md); "" when nobody knows. */
const char *world_cluster(const struct world *w);
struct arena *world_arena(struct world *w);
/* Whole document, borrowed for the pass; NULL: absent, or not read yet (then world_waiting is true). */
const json_t *world_doc(struct world *w, const struct kind *k, const char *ns, const char *name);
/* May that ServiceAccount do verb with the object? Asked of the API server as a document is read: false while
 * world_waiting. */
bool world_may(struct world *w, const char *account_ns, const char *account, const char *verb, const struct kind *k,
               const char *ns, const char *name);
/* Pods of the Job of that name as the API server has them now, those that the cache does not show among them, fifty at
 * most: an array, asked for as a document is. NULL while world_waiting, and when the answer is none that can be taken:
 * somebody has given his pods the label, and they are megabytes. */
const json_t *world_pods(struct world *w, const char *ns, const char *job);
/* Jobs with a target that the cache does not show; NULL: none. */
const struct unseen_jobs *world_unseen(const struct world *w);
bool world_waiting(const struct world *w);
/* Who replaces a Task or Function may delete it first (Helm's hooks do): until then, Unix seconds, one that is not
 * there may be about to come, so nobody is refused for it. 0: one that is not there is not there. */
int64_t world_catalog_until_s(const struct world *w);

/*
 * Why the API server refused to make or change that object in an earlier pass of this key; NULL when it did not, or
 * when it was accepted since. A pass that meets one says so in a condition, leaves the effect out and comes back at
 * retry_s (plan_wake_at); after retry_s it plans the effect again. The engine counts and spaces the tries
 * (multitenancy.md 7.1).
 */
enum refusal_kind {
    REFUSAL_NAME,          /* the name is taken by an object of somebody else (controllers.md 2: NameConflict) */
    REFUSAL_INVALID,       /* 400, 422, 413: their input, or an object that can't be */
    REFUSAL_QUOTA,         /* a ResourceQuota is full (or its status is not known yet) */
    REFUSAL_QUOTA_NEEDS,   /* the quota wants requests or limits that we did not give */
    REFUSAL_LIMIT_RANGE,   /* a LimitRange forbids the size */
    REFUSAL_POLICY,        /* PodSecurity or an admission webhook said no */
    REFUSAL_FORBIDDEN,     /* RBAC: we may not */
    REFUSAL_TERMINATING,   /* the namespace is going away */
    N_REFUSALS
};
struct refusal {
    enum refusal_kind why;
    const char *reason;  /* of the condition: "NamespaceQuotaExceeded", "NameConflict"; REFUSAL_INVALID: "" */
    const char *message; /* the server's */
    int64_t retry_s;     /* not before, Unix seconds */
    uint32_t times;      /* in a row: 1 after the first */
};
/* How many passes over this object, in a row and just before this one, were ended by an error or a conflict. */
uint32_t world_failures(const struct world *w);
const struct refusal *world_refusal(const struct world *w, const struct kind *k, const char *ns, const char *name);
/* Trying again is in vain. r: NULL fine. is_name_passing: the name that it wants will be free. */
bool refusal_is_for_good(const struct refusal *r, bool is_name_passing);

/* ---- the plan: effects in order; any failure puts the key back with back-off and the rest is not run ---- */

struct plan;

/*
 * Creates. Idempotent by name: an existing object with the same controller owner UID (or, when ours has no owner, with
 * all labels of stash.appscode.com/ that ours has) is success; any other is REFUSAL_NAME at the next pass.
 * metadata.namespace is filled in from ns, apiVersion and kind from k.
 */
void plan_create(struct plan *p, const struct kind *k, const char *ns, json_t *object_take);
/*
 * Merge patch of the pass's object's status, with its resourceVersion as precondition. Several without another effect
 * between them become one request. What would change nothing (seen when observe read the object itself by world_doc) is
 * left out, so a controller may always plan the whole status it wants. Lists are replaced whole.
 */
void plan_status(struct plan *p, json_t *status_take);
/* Merge patch of another object, or of this one beside its status. subresource NULL or "status"; rv NULL: no
 * precondition. A missing object is success. */
void plan_patch(struct plan *p, const struct kind *k, const char *ns, const char *name, const char *subresource,
                const char *rv, json_t *patch_take);
/* Server-side apply of an object that is wholly ours: accounts, Roles, bindings. */
void plan_apply(struct plan *p, const struct kind *k, const char *ns, json_t *object_take);
/* Delete with the UID as precondition; absent is success. propagation "Background" or "Foreground". */
void plan_delete(struct plan *p, const struct kind *k, const char *ns, const char *name, const char *uid,
                 const char *propagation);
/* Delete of an object that may go since `stays` does: another, or the same, of the pass's kind and namespace. The cache
 * may be behind, so the API server is asked for that one first; if it is gone or going, or the pass's own object and no
 * longer as it was looked at, the pass ends with a conflict. What the server said is good for five seconds: the delete
 * is begun within them or not at all, and given up when it has no answer five seconds later. stays NULL: a plain
 * delete. */
void plan_delete_beside(struct plan *p, const struct kobj *o, const struct kobj *stays);
/* An Event on the pass's object, sent when all effects before it have succeeded. */
void plan_event(struct plan *p, const char *type, const char *reason, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Adds to a series of the operator (metrics.md 6) when all effects before it have succeeded. family and label are
 * static; label is the value of the family's one label, NULL when it has none. */
void plan_count(struct plan *p, const char *family, const char *label, double by);
/* Metrics in the text format into the operator's own gateway (metrics.md 3), as a push from a namespace to job, or to
 * its target (NULL: none), when all effects before it have succeeded. Copied. */
void plan_push(struct plan *p, const char *ns, const char *job, const char *target, const char *text);
/* This key again at that time at the latest. */
void plan_wake_at(struct plan *p, int64_t unix_s);
/* Another key soon (its controller is the first of that kind in the table). */
void plan_wake(struct plan *p, const struct kind *k, const char *ns, const char *name);

/*
 * The plan as lines, for tests and --trace:
 *   create Job demo/stash-backup-x-0        patch BackupConfiguration demo/db annotation:stash.appscode.com/…=…
 *   apply ServiceAccount demo/stash-backup  status phase=Pending conditions=RepositoryFound=True/RepositoryAvailable,…
 *   delete Job demo/x Background            event Warning Backup Job Failed: text
 *   count family{label} 1                   wake 10s            wake Repository demo/repo
 *   push backupconfiguration-demo-db/appbinding-db
 */
struct buf;
void plan_print(const struct plan *p, struct buf *out);
bool plan_is_empty(const struct plan *p);

/* ---- the table ---- */

enum { PHASE_ANY = -1 }; /* a row that fits in each phase */

struct rule {
    int in;
    bool (*when)(const void *view);                                /* NULL: always */
    void (*act)(const void *view, struct world *w, struct plan *p); /* NULL: nothing to do */
    int to;             /* phase afterwards (documentation and tests): act writes it with plan_status */
    const char *reason; /* log field, metric label and coverage mark */
};

/* An event of a watched kind wakes keys of this controller: map calls wake once for each. It reads records only and is
 * called for the old and the new record of a change, only after the first lists are complete (each object has its pass
 * then anyway). */
typedef void wake_fn(void *ctx, const char *ns, const char *name);
struct watched {
    enum kind_id kind;
    void (*map)(const struct cache *c, const struct kobj *changed, wake_fn *wake, void *ctx);
    /* False: this change of an object is of no interest. NULL: every change is. Not asked for new and deleted ones. */
    bool (*matters)(const struct kobj *old, const struct kobj *now);
};

struct controller {
    const char *name; /* "backupsession": log field, metric label */
    enum kind_id kind;
    const char *component;     /* of events: "BackupSession Controller" */
    const char *const *phases; /* names by number; [0] is "" (new); NULL-terminated */
    const struct rule *rules;
    size_t n_rules;
    size_t view_size;
    /* Fills the view (cleared) for the object; returns its phase, or PHASE_REST for "nothing to do here". */
    int (*observe)(struct world *w, const struct kobj *self, void *view);
    const struct watched *watches;
    size_t n_watches;
    /* True: of this object a pass looks at the record alone and finds nothing to do, whatever else is in the object. A
     * change that its record does not show gives it no pass then. NULL: each change gives one. */
    bool (*is_settled)(const struct kobj *o);
    /* True: a pass did half of what there is to do for it, and the rest waits for nothing: it goes before those that
     * nobody has begun. So its documents are still at hand, and of many that come at once the first are done first.
     * NULL: none. */
    bool (*is_begun)(const struct kobj *o);
    bool by_wake_only; /* events of its own kind do not wake it: the scheduler, or its watches, do */
    /* By wake only: wakes what may need a look when an operator begins to lead, since the event that said so may have
     * come to one that was killed. seed: for maps. NULL: nothing does. */
    void (*first_look)(const struct cache *c, const struct operator_settings *s, uint64_t seed, wake_fn *wake,
                       void *ctx);
};

enum { PHASE_REST = -2 }; /* observe: nothing to do */

/* All controllers, one row each (table.c). */
extern const struct controller *const controllers[];
extern const size_t n_controllers;
/* The cache's indexes that controllers use: call once, before the first object comes. */
void controllers_index(struct cache *c);

/* Number of a phase's name in c->phases; 0 (new) for NULL and "", -1 for an unknown one. */
int controller_phase(const struct controller *c, const char *name);

/* One pass over data, no engine: observe, first fitting row, act. Returns the row, or NULL at rest. With
 * world_waiting(w) afterwards the plan is void and the pass has to be run again with the documents. */
const struct rule *controller_decide(const struct controller *c, struct world *w, const struct kobj *self,
                                     struct plan *p);

#endif
