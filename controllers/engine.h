/*
 * engine: events to keys, keys to passes, plans to requests. One pass a key at a time; at most `concurrency` passes at
 * once; a failed pass comes back with full-jitter back-off from 1 s to 5 min, without limit (controllers.md 0).
 * No pass starts before all caches are complete, nor while this process is not the leader. On becoming active every
 * object is looked at once, at low priority; on losing the lead all passes end and the queue is emptied.
 *
 * Life: engine_stop, then engine_free after on_stopped. All callbacks come in turns of env, never inside a call.
 */
#ifndef STASHD_ENGINE_H
#define STASHD_ENGINE_H

#include "controllers/controller.h"
#include "core/base/log.h"
#include "k8s/client.h"
#include "k8s/event.h"

struct engine; /* opaque */

struct engine_options {
    struct env *env;
    struct kube *kube;
    struct cache *cache;
    struct kube_events *events; /* NULL: events are dropped (tests) */
    const struct log *log;
    const struct operator_settings *settings;
    unsigned concurrency;
    double qps, burst; /* requests of passes; qps 0: no limit */
    uint32_t drain_ms; /* engine_stop lets running passes end for so long before it cancels them */
    /* The controllers to run; NULL: the table of controllers (controller.h). */
    const struct controller *const *controllers;
    size_t n_controllers;
    /* Told after each pass; NULL fine. result "ok", "refused",
     * "error", "conflict", "canceled"; reason the rule's or "" */
    void (*on_pass)(void *ctx, const struct controller *c, const char *reason, const char *result, uint64_t took_ns);
    /* Asked before each write; NULL: always. False: we may have lost the lead without having been told yet (a process
     * that was stopped for a while); the pass ends. */
    bool (*may_write)(void *ctx);
    /* Told of plan_count effects; NULL fine. */
    void (*on_count)(void *ctx, const char *family, const char *label, double by);
    /* Told of plan_push effects; target NULL: none. NULL fine. */
    void (*on_push)(void *ctx, const char *ns, const char *job, const char *target, const char *text);
    /* Told when passes may run from now on, or no longer may; for the scheduler. NULL fine. */
    void (*on_active)(void *ctx, bool active);
    void *ctx;
};

struct engine *engine_new(const struct engine_options *o);
/* Stops passes, cancels requests; on_stopped when all have ended. Then engine_free. */
void engine_stop(struct engine *e, void (*on_stopped)(void *ctx), void *ctx);
void engine_free(struct engine *e);

/* The cache's cache_fn: ctx is the engine. */
void engine_changed(void *engine, const struct kind *k, const struct kobj *old, const struct kobj *now);
/* A watch brought this object whole: passes over it need not read it. Call it before the cache hears of it. */
void engine_offer(struct engine *e, const struct kobj *o, struct str text);
void engine_set_leader(struct engine *e, bool is_leader);
/* All caches complete: the first passes may start (once). */
void engine_set_synced(struct engine *e);
void engine_wake(struct engine *e, const struct controller *c, const char *ns, const char *name);

size_t engine_queued(const struct engine *e, const struct controller *c); /* waiting now, back-off included */
size_t engine_running(const struct engine *e);
size_t engine_kept_bytes(const struct engine *e); /* of documents that it need not ask for again */
bool engine_idle(const struct engine *e); /* nothing queued for now, nothing running (timers may be set) */

#endif
