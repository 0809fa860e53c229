/*
 * engine_pass: one pass, from its key to its end: decide, fetch what was asked for, decide again, run the effects in
 * order. Private to the engine.
 */
#ifndef STASHD_ENGINE_PASS_H
#define STASHD_ENGINE_PASS_H

#include "controllers/docs.h"
#include "controllers/engine.h"
#include "controllers/engine_gone.h"
#include "controllers/engine_look.h"
#include "controllers/plan.h"
#include "controllers/queue.h"
#include "controllers/world.h"
#include "k8s/scan.h"

struct engine {
    struct engine_options o;
    struct queue *queue;
    struct engine_look look;
    struct docs *docs; /* what the server sent last */
    struct scan_ones *scans; /* of answers */
    struct list passes;  /* of struct pass */
    size_t n_passes;
    struct engine_gone gone;
    struct unseen_jobs unseen;
    struct list starved; /* of struct engine_call: they wait for a token of the rate limit */
    double tokens;
    uint64_t tokens_ns;  /* when tokens was right */
    uint64_t not_before_ns; /* a 429 asked us to be quiet until then */
    uint64_t catalog_until_ns; /* a Task or Function has gone, and may be replaced until then */
    struct timer turn;
    bool is_leader, is_synced, active, stopping, told_stopped;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
};

/* A request of a pass, with its place in the line when the rate limit holds it back. */
struct engine_call {
    struct list link; /* in starved, then (fetches) in the pass's fetches */
    struct kube_call call;
    struct pass *pass;
    struct world_doc *doc; /* fetches */
    bool started;
};

enum pass_result { PASS_OK, PASS_REFUSED, PASS_CONFLICT, PASS_ERROR, PASS_CANCELED, N_PASS_RESULTS };

struct pass {
    struct list link;
    struct engine *engine;
    struct queue_key *key;
    const struct controller *controller;
    const struct kobj *self; /* a reference */
    struct arena arena;
    struct world world;
    struct plan plan;
    const struct rule *rule;
    uint64_t started_ns;
    unsigned reruns, fetching;
    struct list fetches;   /* of struct engine_call, running */
    struct effect *effect; /* the one that runs */
    struct engine_call call;
    struct list behind;  /* in another pass's followers: it asks for, or applies, the same object */
    struct list followers;
    bool checking; /* the running call looks who owns a name that is taken */
    bool looking, looked; /* the running call looks whether an object is as the effect has to find it; it is */
    uint64_t looked_ns;   /* when that was sent */
    bool is_ahead; /* decided on a document that the cache has no record of yet */
    char rv[64];   /* after our own last status write; "" */
    char own_rv[64]; /* after our own last write of the pass's object, of whatever part; "" */
    enum pass_result result;
    struct error error;
};

/* engine.c */
void engine_send(struct engine *e, struct engine_call *c); /* starts it, now or when the rate limit allows */
void engine_pass_ended(struct pass *p);                    /* the pass is freed */
void engine_throttled(struct engine *e, uint32_t retry_after_ms);

/* The pass's fields on each of its lines. */
#define PASS_LOG(var, p)                                                                                               \
    const struct log_field var##_fields[]  = {F_STR("controller", (p)->controller->name),                             \
                                              F_STR("namespace", (p)->key->ns), F_STR("name", (p)->key->name)};       \
    const struct log var = {.parent = (p)->engine->o.log, .fields = var##_fields, .n_fields = 3,                     \
                             .min = (p)->engine->o.log->min}

/* engine_pass.c */
void engine_pass_start(struct engine *e, struct queue_key *key);
/* Is that the pass's object? */
bool engine_pass_is_self(const struct pass *p, const struct kind *k, const char *ns, const char *name);
/* The server does not know the pass's object: no pass looks at it again. A 404 without the reason speaks of a kind. */
void engine_pass_gone(struct pass *p, const struct kube_call *call);
/* Its requests end with ERR_CANCELED and the pass with them, in later turns. */
void engine_pass_cancel(struct pass *p);
/* Notes the first failure; the pass still has to be ended. */
void engine_pass_fail(struct pass *p, int rc, const struct error *e, const char *what);
void engine_pass_end(struct pass *p); /* frees it */

/* A document came from the server: the next pass need not ask for it, while the cache has no newer one. made: a write
 * of ours brought it, so the cache need not have a record of it yet. */
void engine_pass_keep(struct pass *p, const struct kind *k, const char *ns, const char *name, const char *rv,
                      struct str text, bool made);

/* Looks again for what the pass waits for. */
void engine_pass_resume(struct pass *p);
/* The request that this pass had under way has its answer: those that wait for it go on. */
void engine_pass_release(struct pass *p);

/* engine_effect.c: the next effect, and so on to the end of the pass; the one at hand. */
void engine_effects_run(struct pass *p);
void engine_effects_resume(struct pass *p);
/* The effect may run since an object was there, and that was asked too long ago. */
bool engine_effect_is_late(const struct pass *p);
/* Its request goes out, or into the line; the pass ends, maybe before the answer. */
void engine_effect_goes(struct pass *p);
void engine_effect_ends(struct pass *p);

#endif
