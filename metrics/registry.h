/*
 * registry: the operator's own series: counters, gauges, histograms with labels, made once and kept by pointer.
 */
#ifndef STASHD_REGISTRY_H
#define STASHD_REGISTRY_H

#include "core/base/buf.h"

struct registry; /* opaque */
struct metric;   /* opaque: a family */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct registry *registry_new(void);
void registry_free(struct registry *r);

/* labels: names, NULL-terminated (NULL: none). buckets only for
 * histograms, ascending, without +Inf. Texts are static. */
struct metric *registry_add(struct registry *r, enum metric_type type, const char *name, const char *help,
                            const char *const *labels, const double *buckets, size_t n_buckets);

/* values: one for each label, in order; borrowed. A new combination makes a new series, up to 10,000 a family. */
void metric_add(struct metric *m, const char *const *values, double by);
void metric_set(struct metric *m, const char *const *values, double to);
void metric_observe(struct metric *m, const char *const *values, double value);
void metric_drop(struct metric *m, const char *const *values);

/* Called before each writing, to set gauges that are read rather than counted. */
void registry_on_collect(struct registry *r, void (*fn)(void *ctx), void *ctx);

/* Text exposition 0.0.4. */
void registry_write(struct registry *r, struct buf *out);

#endif
