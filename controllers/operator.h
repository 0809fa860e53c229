/*
 * operator: the parts put together over one API server: cache, watches, engine, scheduler, Lease, events, metrics. The
 * program stashd adds settings, sockets and signals; test/sim puts the same thing on a model with a virtual clock.
 *
 * Life: a handle. operator_start once; operator_stop, then operator_free after on_stopped.
 */
#ifndef STASHD_OPERATOR_H
#define STASHD_OPERATOR_H

#include "controllers/engine.h"
#include "metrics/registry.h"

struct operator; /* opaque */

struct operator_options {
    struct env *env;
    struct kube *kube; /* its on_request and on_date are taken over */
    const struct log *log;
    const struct operator_settings *settings;
    struct registry *registry;
    unsigned concurrency;
    double qps, burst;
    uint32_t drain_ms;
    const char *watch_namespace; /* NULL: all */
    const char *identity;        /* of the Lease; NULL: no election, we lead */
    const char *address;         /* where replicas reach us while we lead, "10.1.2.3:8080"; NULL: they can't */
    void (*on_lead)(void *ctx, bool leads); /* the lead was won or lost; NULL fine */
    /* An invoker is gone for good; NULL fine. Its record is borrowed. */
    void (*on_invoker_gone)(void *ctx, const struct kobj *invoker);
    /* Metrics of a session that has ended, as a push to the gateway would bring them (metrics.md 3), and with the lead
     * what is known of those that ended before; NULL fine. */
    void (*on_push)(void *ctx, const char *ns, const char *job, const char *target, const char *text);
    void *ctx;
};

struct operator *operator_new(const struct operator_options *o);
void operator_start(struct operator *op);
void operator_stop(struct operator *op, void (*on_stopped)(void *ctx), void *ctx);
void operator_free(struct operator *op);

bool operator_synced(const struct operator *op); /* all first lists are complete */
bool operator_leads(const struct operator *op);
/* Where the leader is reached, when that is another replica; "": we lead, or nobody is known to. */
const char *operator_leader_address(const struct operator *op);
const struct cache *operator_cache(const struct operator *op);
struct engine *operator_engine(struct operator *op);

#endif
