/*
 * session_metrics: what the operator itself tells of a session that has ended (metrics.md 1.1, 1.2, 1.5). Hosts and
 * repositories are the worker's business (controllers/job/update_status_push.c).
 */
#ifndef STASHD_SESSION_METRICS_H
#define STASHD_SESSION_METRICS_H

#include "controllers/controller.h"

/* As plan_push. */
typedef void session_metrics_push(void *ctx, const char *ns, const char *job, const char *target, const char *text);

/* The session's and its targets' metrics; reads AppBindings. session: of either kind, in a final phase but not yet
 * written as such: succeeded and duration_s tell of it. invoker: the configuration; of a restore the session itself. */
void session_metrics_plan(struct world *w, struct plan *p, const json_t *session, const json_t *invoker, bool succeeded,
                          int64_t duration_s);

/* What the cache can tell of sessions that ended before this process had the lead, under the same labels: of each
 * configuration whether its newest ended session succeeded, and when the newest good one began (its end is in no
 * record); of each restore whether it did. Asks nobody. */
void session_metrics_recall(const struct cache *c, session_metrics_push *fn, void *ctx);

#endif
