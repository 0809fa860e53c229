/*
 * unseen_jobs: Jobs with a target that the cache does not show. What of them runs holds its target (target_lock.h), but
 * the watches of Jobs and of pods each may be behind: then only the API server knows of it. So who wants the target
 * asks it, for these. There are two sorts:
 *
 *   sent   a session's Job was sent for, and the cache does not have it yet. Until the request has an answer, and for a
 *          minute when it gets none, it may yet be made, whatever the API server says.
 *   went   a Job was in the cache and went before it was complete, with no pod of it there. Its controller may be
 *          behind too, and make a pod for some seconds more unless the Job was on its way out. Anybody can make such
 *          Jobs: the last 64 of a namespace are kept, and a few thousand in all.
 *
 * Each for fifteen minutes, longer than a watch is left open. Of what another process has sent or seen go there is
 * nothing here: who gets the lead lists Jobs and pods anew before its first pass (operator.c).
 *
 * Life: init, any calls, clear. Owns its entries; texts are copied. The list may change between two turns of the loop,
 * never within a look at it.
 */
#ifndef STASHD_UNSEEN_JOBS_H
#define STASHD_UNSEEN_JOBS_H

#include "core/base/list.h"
#include "k8s/cache.h"

struct unseen_job {
    struct list link;
    bool was_sent;
    uint64_t until_ns;      /* then it is forgotten */
    uint64_t held_until_ns; /* until then the Job, or a pod of it, may come although the API server has none */
    uint64_t late_until_ns; /* sent: of the tries before this one, idem; 0: none */
    const char *ns, *name, *target, *owner_uid; /* behind it */
};

struct unseen_jobs {
    struct list jobs; /* of struct unseen_job */
    size_t n_went;
    uint64_t now_ns; /* as of unseen_jobs_expire: a pass has no other */
};

void unseen_jobs_init(struct unseen_jobs *u);
void unseen_jobs_clear(struct unseen_jobs *u);
/* Before each pass: forgets what is long ago. */
void unseen_jobs_expire(struct unseen_jobs *u, uint64_t now_ns);

/* A session's Job is sent for, or waits in line to be (then again when it goes: the line may be long). Nothing happens
 * when the cache has it, or when it has no target. */
void unseen_jobs_sent(struct unseen_jobs *u, const struct cache *c, const char *ns, const json_t *job, uint64_t now_ns);

enum unseen_answer {
    UNSEEN_MADE,    /* or another has the name: the API server tells who */
    UNSEEN_REFUSED, /* certainly not made */
    UNSEEN_UNKNOWN,
};
/* The first answer counts, until it is sent for again. */
void unseen_jobs_answered(struct unseen_jobs *u, const char *ns, const json_t *job, enum unseen_answer answer,
                          uint64_t now_ns);

/* A change that the cache has had: of Jobs, others are nothing to us. old, now: as of cache_fn. */
void unseen_jobs_changed(struct unseen_jobs *u, const struct cache *c, const struct kobj *old, const struct kobj *now,
                         uint64_t now_ns);

#endif
