/*
 * operator: see operator.h. Stopping goes from the inside out: passes end first (they may still write for a moment),
 * then the Lease is given back, then the watches close, and last nothing of ours is on any connection.
 */
#include "controllers/operator.h"

#include "controllers/operator_metrics.h"
#include "controllers/schedule.h"
#include "controllers/scheduler.h"
#include "controllers/session_metrics.h"
#include "core/base/mem.h"
#include "k8s/lease.h"
#include "k8s/serverclock.h"
#include "k8s/watch.h"

static const char ours_only[] = "app.kubernetes.io/managed-by=stash.appscode.com";

/* What is watched; of kinds that others fill only what carries our label (multitenancy.md 6). */
static const struct {
    enum kind_id kind;
    const char *selector;
} watched_kinds[] = {
    {KIND_NAMESPACE, NULL},       {KIND_REPOSITORY, NULL},          {KIND_BACKUPCONFIGURATION, NULL},
    {KIND_BACKUPBATCH, NULL},     {KIND_BACKUPSESSION, NULL},       {KIND_RESTORESESSION, NULL},
    {KIND_RESTOREBATCH, NULL},    {KIND_TASK, NULL},                {KIND_FUNCTION, NULL},
    {KIND_APPBINDING, NULL},      {KIND_JOB, ours_only},            {KIND_POD, ours_only},
    {KIND_CRONJOB, ours_only},
    {KIND_PVC, ours_only},        {KIND_SERVICEACCOUNT, ours_only}, {KIND_ROLEBINDING, ours_only},
};
enum { N_WATCHES = sizeof(watched_kinds) / sizeof(watched_kinds[0]) };
#define SAY_AGAIN_NS 60000000000u
enum { CRONJOBS_MANY = 5000, OVERDUE_S = 60 }; /* multitenancy.md 12; what counts as late for the metric */

struct operator {
    struct operator_options o;
    struct serverclock clock; /* the env of all that reads the time */
    struct cache *cache;
    struct engine *engine;
    struct scheduler *scheduler;
    struct kube_events *events;
    struct operator_metrics metrics;
    struct kube_watch watches[N_WATCHES];
    bool seen[N_WATCHES]; /* its first list is complete, or the kind does not exist here */
    bool awaited[N_WATCHES]; /* to be listed anew before the lead is used */
    struct kube_lease lease;
    size_t n_open; /* watches that have not stopped */
    bool synced;
    uint64_t said_gone_ns; /* when the log last said that the server is gone; 0: never */
    void (*on_stopped)(void *ctx);
    void *ctx;
};

/* ---- what happens ---- */

static bool is_invoker(const struct kind *k)
{
    return k->id == KIND_BACKUPCONFIGURATION || k->id == KIND_BACKUPBATCH || k->id == KIND_RESTORESESSION ||
           k->id == KIND_RESTOREBATCH;
}

static void changed(void *ctx, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    struct operator *op = ctx;

    if (!op->engine)
        return; /* being freed */
    engine_changed(op->engine, k, old, now);
    scheduler_changed(op->scheduler, k, old, now);
    if (!now && is_invoker(k) && op->o.on_invoker_gone)
        op->o.on_invoker_gone(op->o.ctx, old);
}

static void pass_done(void *ctx, const struct controller *c, const char *reason, const char *result, uint64_t took_ns)
{
    struct operator *op = ctx;

    (void)reason;
    operator_metrics_pass(&op->metrics, c, result, (double)took_ns / 1e9);
}

static void counted(void *ctx, const char *family, const char *label, double by)
{
    struct operator *op = ctx;

    operator_metrics_count(&op->metrics, family, label, by);
}

static void pushed(void *ctx, const char *ns, const char *job, const char *target, const char *text)
{
    struct operator *op = ctx;

    if (op->o.on_push)
        op->o.on_push(op->o.ctx, ns, job, target, text);
}

static void active(void *ctx, bool is_active)
{
    struct operator *op = ctx;

    log_info(op->o.log, is_active ? "working" : "not working");
    if (is_active && op->o.on_push)
        session_metrics_recall(op->cache, op->o.on_push, op->o.ctx);
    scheduler_set_active(op->scheduler, is_active);
}

static void due(void *ctx, const struct kobj *invoker, int64_t late_ms)
{
    struct operator *op = ctx;

    operator_metrics_delay(&op->metrics, (double)late_ms / 1000);
    engine_wake(op->engine, &schedule_controller, invoker->ns, invoker->name);
}

static bool may_write(void *ctx)
{
    struct operator *op = ctx;

    return !op->o.identity || kube_lease_holds(&op->lease);
}

static void request_done(void *ctx, const char *verb, const struct kind *k, int status)
{
    struct operator *op = ctx;

    operator_metrics_request(&op->metrics, verb, k, status);
}

static void collect(void *ctx)
{
    struct operator *op = ctx;

    for (size_t i = 0; i < n_controllers; i++)
        operator_metrics_queue(&op->metrics, controllers[i], engine_queued(op->engine, controllers[i]));
    operator_metrics_overdue(&op->metrics, scheduler_overdue(op->scheduler, OVERDUE_S));
    operator_metrics_kept(&op->metrics, engine_kept_bytes(op->engine));
    operator_metrics_collect(&op->metrics, op->cache, operator_leads(op), op->watches, N_WATCHES,
                             kube_events_dropped(op->events));
}

/* ---- watches ---- */

static void note_seen(struct operator *op, const struct kube_watch *w)
{
    op->seen[w - op->watches] = true;
    if (op->synced)
        return;
    for (size_t i = 0; i < N_WATCHES; i++) {
        if (!op->seen[i])
            return;
    }
    op->synced = true;
    log_info(op->o.log, "caches complete",
             F_INT("configurations", cache_count(op->cache, kind_get(KIND_BACKUPCONFIGURATION))),
             F_INT("sessions", cache_count(op->cache, kind_get(KIND_BACKUPSESSION))));
    if (op->o.settings->by_cronjobs && cache_count(op->cache, kind_get(KIND_BACKUPCONFIGURATION)) > CRONJOBS_MANY)
        log_warn(op->o.log, "so many CronJobs start as many Jobs and pods at once; trigger operator does not",
                 F_INT("configurations", cache_count(op->cache, kind_get(KIND_BACKUPCONFIGURATION))));
    engine_set_synced(op->engine);
}

/* ---- the lead ---- */

/*
 * Another may have had the lead until now, and have made Jobs, and they may be gone again, with pods left that run on,
 * while our watches are behind. So the lead begins with Jobs and pods as they are now: what is younger we have made
 * ourselves (unseen_jobs.h).
 */
static bool is_listed_to_lead(const struct kind *k)
{
    return k->id == KIND_JOB || k->id == KIND_POD;
}

static void take_lead(struct operator *op)
{
    for (size_t i = 0; i < N_WATCHES; i++)
        if (op->awaited[i])
            return;
    engine_set_leader(op->engine, true);
}

static void note_listed(struct operator *op, const struct kube_watch *w)
{
    if (w->is_stale || !op->awaited[w - op->watches])
        return;
    op->awaited[w - op->watches] = false;
    take_lead(op);
}

static void prepare_lead(struct operator *op)
{
    for (size_t i = 0; i < N_WATCHES; i++) {
        op->awaited[i] = is_listed_to_lead(op->watches[i].kind);
        if (op->awaited[i])
            kube_watch_list(&op->watches[i]);
    }
}

static void lease_changed(struct kube_lease *l, bool is_leader)
{
    struct operator *op = l->data;

    log_info(op->o.log, is_leader ? "has the lead" : "lost the lead", F_STR("identity", l->identity));
    memset(op->awaited, 0, sizeof(op->awaited));
    if (is_leader)
        prepare_lead(op);
    else
        engine_set_leader(op->engine, false);
    if (op->o.on_lead)
        op->o.on_lead(op->o.ctx, is_leader);
}

/* ---- watches ---- */

static void watch_synced(struct kube_watch *w)
{
    note_seen(w->data, w);
    note_listed(w->data, w);
}

/* A kind that is not installed is empty; a kind that we may not see would make wrong decisions, so we wait. A server
 * that does not answer is said once for all kinds. */
static void watch_troubled(struct kube_watch *w, int rc, const struct error *e)
{
    struct operator *op = w->data;
    uint64_t now_ns = env_now_ns(op->o.env);

    if (rc == ERR_NOTFOUND) {
        log_warn(op->o.log, "a kind is not installed: apply chart/templates/crds", F_STR("kind", w->kind->name));
        note_seen(op, w);
        note_listed(op, w);
    } else if (rc == ERR_DENIED) {
        log_warn(op->o.log, "a kind may not be watched", F_STR("kind", w->kind->name), F_ERR(e));
    } else if (!op->said_gone_ns || now_ns - op->said_gone_ns > SAY_AGAIN_NS) {
        op->said_gone_ns = now_ns;
        log_warn(op->o.log, "the API server cannot be watched", F_ERR(e));
    }
}

static void watch_stopped(struct kube_watch *w)
{
    struct operator *op = w->data;

    if (--op->n_open == 0)
        op->on_stopped(op->ctx);
}

/* Each event of these means a pass over the whole of them, unless they have ended (sessions) or run well (pods). */
static bool is_read_whole(enum kind_id kind)
{
    return kind == KIND_BACKUPSESSION || kind == KIND_RESTORESESSION || kind == KIND_POD;
}

static void date_came(void *ctx, int64_t unix_s)
{
    serverclock_saw(&((struct operator *)ctx)->clock, unix_s);
}

static void text_came(struct kube_watch *w, const struct kobj *o, struct str text)
{
    struct operator *op = w->data;
    const char *phase = kobj_text(o, "status.phase");

    if (!*phase || strcmp(phase, "Pending") == 0 ||
        strcmp(phase, w->kind->id == KIND_POD ? "Failed" : "Running") == 0)
        engine_offer(op->engine, o, text);
}

static void start_watch(struct operator *op, size_t i)
{
    const struct kind *k = kind_get(watched_kinds[i].kind);
    struct kube_watch *w = &op->watches[i];

    w->kube = op->o.kube;
    w->cache = op->cache;
    w->kind = k;
    w->ns = k->namespaced ? op->o.watch_namespace : NULL;
    w->selector = watched_kinds[i].selector;
    w->on_synced = watch_synced;
    w->on_trouble = watch_troubled;
    w->on_stopped = watch_stopped;
    w->on_text = is_read_whole(k->id) ? text_came : NULL;
    w->data = op;
    op->n_open++;
    kube_watch_start(w);
}

/* ---- life ---- */

struct operator *operator_new(const struct operator_options *o)
{
    struct operator *op = mem_zalloc(sizeof(*op));

    op->o = *o;
    serverclock_init(&op->clock, o->env);
    op->cache = cache_new(env_random(o->env), changed, op);
    controllers_index(op->cache);
    op->scheduler = scheduler_new(&op->clock.env, &(struct schedule_context){op->cache, o->settings}, due, op);
    op->events = kube_events_new(o->kube);
    operator_metrics_init(&op->metrics, o->registry, o->settings);
    registry_on_collect(o->registry, collect, op);
    o->kube->on_request = request_done;
    o->kube->on_date = date_came;
    o->kube->ctx = op;
    op->engine = engine_new(&(struct engine_options){.env = &op->clock.env,
                                                     .kube = o->kube,
                                                     .cache = op->cache,
                                                     .events = op->events,
                                                     .log = o->log,
                                                     .settings = o->settings,
                                                     .concurrency = o->concurrency,
                                                     .qps = o->qps,
                                                     .burst = o->burst,
                                                     .drain_ms = o->drain_ms,
                                                     .on_pass = pass_done,
                                                     .may_write = may_write,
                                                     .on_count = counted,
                                                     .on_push = pushed,
                                                     .on_active = active,
                                                     .ctx = op});
    return op;
}

static void stop_watches(struct operator *op)
{
    for (size_t i = 0; i < N_WATCHES; i++)
        kube_watch_stop(&op->watches[i]);
}

static void lease_stopped(struct kube_lease *l)
{
    stop_watches(l->data);
}

void operator_start(struct operator *op)
{
    for (size_t i = 0; i < N_WATCHES; i++)
        start_watch(op, i);
    if (!op->o.identity) {
        engine_set_leader(op->engine, true);
        return;
    }
    op->lease.kube = op->o.kube;
    op->lease.ns = op->o.settings->own_namespace;
    op->lease.name = op->o.settings->fullname;
    op->lease.identity = op->o.identity;
    op->lease.address = op->o.address && *op->o.address ? op->o.address : NULL;
    op->lease.on_change = lease_changed;
    op->lease.on_stopped = lease_stopped;
    op->lease.data = op;
    kube_lease_start(&op->lease);
}

static void engine_stopped(void *ctx)
{
    struct operator *op = ctx;

    if (op->o.identity)
        kube_lease_stop(&op->lease);
    else
        stop_watches(op);
}

void operator_stop(struct operator *op, void (*on_stopped)(void *ctx), void *ctx)
{
    op->on_stopped = on_stopped;
    op->ctx = ctx;
    engine_stop(op->engine, engine_stopped, op);
}

void operator_free(struct operator *op)
{
    struct engine *engine;

    if (!op)
        return;
    engine = op->engine;
    op->engine = NULL; /* the cache tells nobody any more */
    registry_on_collect(op->o.registry, NULL, NULL);
    op->o.kube->on_request = NULL;
    op->o.kube->on_date = NULL;
    kube_events_free(op->events);
    engine_free(engine);
    scheduler_free(op->scheduler);
    cache_free(op->cache);
    mem_free(op);
}

bool operator_synced(const struct operator *op)
{
    return op->synced;
}

bool operator_leads(const struct operator *op)
{
    return op->o.identity ? op->lease.is_leader : true;
}

const char *operator_leader_address(const struct operator *op)
{
    return operator_leads(op) ? "" : op->lease.holder_address;
}

const struct cache *operator_cache(const struct operator *op)
{
    return op->cache;
}

struct engine *operator_engine(struct operator *op)
{
    return op->engine;
}
