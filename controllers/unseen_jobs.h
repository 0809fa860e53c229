/*
 * unseen_jobs: Jobs with a target that the cache does not show: those that were sent for and did not come yet, and
 * those that went before they had ended. What of them runs holds its target (target_lock.h), but the watches of Jobs
 * and of pods each may be behind: then only the API server knows of it. So who wants the target asks it, for these.
 *
 * Each for fifteen minutes, longer than a watch is left open; the last 64 of a namespace and few thousand in all, for
 * anybody can make Jobs and delete them, and a namespace may go with all that is in it. After a restart there are none:
 * the lists that fill a cache are no older than the first look at it.
 */
#ifndef STASHD_UNSEEN_JOBS_H
#define STASHD_UNSEEN_JOBS_H

#include "core/base/list.h"
#include "k8s/object.h"

struct unseen_job {
    struct list link;
    uint64_t until_ns;
    const char *ns, *name, *target; /* behind it */
};

struct unseen_jobs {
    struct list jobs; /* of struct unseen_job, the oldest first */
    size_t n;
};

void unseen_jobs_init(struct unseen_jobs *u);
void unseen_jobs_clear(struct unseen_jobs *u);
void unseen_jobs_expire(struct unseen_jobs *u, uint64_t now_ns);
/* A Job that the cache does not have is about to be sent for. One without a target is nothing to us. */
void unseen_jobs_sent(struct unseen_jobs *u, const char *ns, const json_t *job, uint64_t now_ns);
/* A change that the cache has had: of Jobs, others are nothing to us. old, now: as of cache_fn. */
void unseen_jobs_changed(struct unseen_jobs *u, const struct kobj *old, const struct kobj *now, uint64_t now_ns);

#endif
