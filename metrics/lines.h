/*
 * lines: gauges as lines of the text exposition format, all with the same labels: what is pushed at the end of a backup
 * or restore (metrics.md 1 and 2). Every metric goes out under its name and under the name that older releases of the
 * reference product used: dashboards know either.
 *
 * Life: lines_init; labels, then gauges; lines_done. `out` is borrowed.
 */
#ifndef STASHD_METRICS_LINES_H
#define STASHD_METRICS_LINES_H

#include "core/base/buf.h"

struct lines {
    struct buf labels, *out;
};

struct lines_metric {
    const char *name, *legacy, *help;
};

void lines_init(struct lines *l, struct buf *out);
void lines_done(struct lines *l);

/* An empty value is no label. */
void lines_label(struct lines *l, const char *name, const char *value);
/*
 * kind, group and name of a target. app_type and app_version: spec.type and apiVersion of an AppBinding, whose type
 * tells kind and group ("kubedb.com/perconaxtradb"); app_type NULL: there is no such object, both are left out.
 */
void lines_target(struct lines *l, const char *kind, const char *name, const char *app_type, const char *app_version);
void lines_gauge(struct lines *l, const struct lines_metric *m, double value);

#endif
