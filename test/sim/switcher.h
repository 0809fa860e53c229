/*
 * switcher: somebody who cannot decide: every now and then, mostly within seconds of a due time, one of the
 * configurations is given to a CronJob, to the operator, or to whatever the installation's setting says.
 */
#ifndef STASHD_SIM_SWITCHER_H
#define STASHD_SIM_SWITCHER_H

#include "cluster.h"
#include "core/base/env.h"
#include "k8s/model/model.h"

struct switcher; /* opaque */

/* mean_s: between two switches. on_switch: after each. */
struct switcher *switcher_new(struct env *env, struct model *m, const struct cluster *cluster, uint64_t seed,
                              int64_t mean_s, void (*on_switch)(void *ctx), void *ctx);
void switcher_stop(struct switcher *s); /* no more of them */
void switcher_free(struct switcher *s); /* NULL is fine */
unsigned switcher_count(const struct switcher *s);

#endif
