/* operator_metrics: the operator's own series (metrics.md 6.4, 6.5). Private to the operator. */
#ifndef STASHD_OPERATOR_METRICS_H
#define STASHD_OPERATOR_METRICS_H

#include "controllers/controller.h"
#include "k8s/event.h"
#include "k8s/watch.h"
#include "metrics/registry.h"

struct operator_metrics {
    struct registry *registry;
    struct metric *passes, *pass_seconds, *queue_depth, *leader, *requests, *restarts, *relists, *delay, *dropped,
        *running, *waiting, *missed, *checks, *overdue, *kept, *configurations, *damaged;
};

void operator_metrics_init(struct operator_metrics *m, struct registry *r, const struct operator_settings *s);
void operator_metrics_pass(struct operator_metrics *m, const struct controller *c, const char *result, double seconds);
void operator_metrics_request(struct operator_metrics *m, const char *verb, const struct kind *k, int status);
void operator_metrics_count(struct operator_metrics *m, const char *family, const char *label, double by);
void operator_metrics_delay(struct operator_metrics *m, double seconds);
void operator_metrics_overdue(struct operator_metrics *m, size_t schedules);
void operator_metrics_kept(struct operator_metrics *m, size_t bytes);
/* Gauges that are read, and totals that others count; called before a page is written. */
void operator_metrics_collect(struct operator_metrics *m, const struct cache *c, bool is_leader,
                              const struct kube_watch *watches, size_t n_watches, uint64_t events_dropped);
void operator_metrics_queue(struct operator_metrics *m, const struct controller *c, size_t depth);

#endif
