/*
 * session_metrics: what the operator itself tells of a session that has ended (metrics.md 1.1, 1.2, 1.5). Hosts and
 * repositories are the worker's business (controllers/job/update_status_push.c).
 */
#ifndef STASHD_SESSION_METRICS_H
#define STASHD_SESSION_METRICS_H

#include "controllers/controller.h"

/* The session's and its targets' metrics; reads AppBindings. session: of either kind, in a final phase but not yet
 * written as such: succeeded and duration_s tell of it. invoker: the configuration; of a restore the session itself. */
void session_metrics_plan(struct world *w, struct plan *p, const json_t *session, const json_t *invoker, bool succeeded,
                          int64_t duration_s);

#endif
