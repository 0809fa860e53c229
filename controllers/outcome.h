/*
 * outcome: how a Job of ours fares (controllers.md 6.9): from its record, its pod's record and, where those do not
 * tell, the pod's document. Upstream waits for a report that a dead pod will never send; we look.
 */
#ifndef STASHD_OUTCOME_H
#define STASHD_OUTCOME_H

#include "controllers/controller.h"

enum outcome_state {
    OUTCOME_ABSENT,    /* no such Job, by cache and by the API server; or one of somebody else */
    OUTCOME_ACTIVE,
    OUTCOME_SUCCEEDED, /* all containers ended with 0 */
    OUTCOME_FAILED,    /* a container failed, the pod was lost, or the Job's time is over */
};

struct outcome {
    enum outcome_state state;
    bool deleting;        /* it is on its way out; its pods may still run */
    bool hangs;           /* FAILED, but the Job waits for its pod for ever: it is to be deleted */
    bool is_lost;         /* FAILED: the pod's node does not answer; the Job may stay as long as that lasts */
    int64_t lost_at_s;    /* when a pod that is told to end, and has not, is given up; 0: none is */
    int64_t n_active;     /* pods that the Job counts */
    bool has_started;     /* some container ran, or may have (only looked at while active) */
    const char *uid;
    int64_t created_s;
    const char *message;  /* FAILED: first failed container, exit code, reason and the end of its words; else "" */
    const char *stuck;    /* ACTIVE: why the pod can't start (image, node); NULL: no such reason */
};

/* owner_uid: of the session that the Job must belong to. May leave world_waiting. */
void outcome_look(struct world *w, const char *ns, const char *job, const char *owner_uid, struct outcome *ret);
/* The same by the cache alone, which may not have a new Job yet: for who makes one anyway when there is none. */
void outcome_glance(struct world *w, const char *ns, const char *job, const char *owner_uid, struct outcome *ret);

/* The refusal of what a session has to make that still stands, or NULL. Of a Job whose name was taken the API server is
 * asked who has it: nobody any more, or (is_passing) a Job of a session that was deleted and made anew, which goes with
 * the one before. May leave world_waiting. */
const struct refusal *outcome_refusal(struct world *w, const struct kobj *self, const struct kind *k, const char *name,
                                      bool *ret_is_passing);

/* When a pod that was told to end is given up, if it does not (Unix seconds); 0: it was not told, or has ended. */
int64_t outcome_lost_at_s(const json_t *pod);

/* For maps of watches: the owner of a Job, or of the Job of a pod, when it is of that kind. */
void outcome_wake_owner(const struct cache *c, const struct kobj *changed, const char *owner_kind, wake_fn *wake,
                        void *ctx);

#endif
